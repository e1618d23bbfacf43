"""The JSON of speech recognisers and of programs that align words, whichever it is.

All are alike: lists of words or segments somewhere in objects that say where to look. So they are
read by the names of what holds them, and by what words and segments call their parts
(`json_values`), not by who wrote them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from affuse.errors import InputError
from affuse.extract.text.transcript.cues import Cue, Found, Piece, cue, cue_of_words, runs
from affuse.extract.text.transcript.json_values import (
    Entry,
    alike,
    in_seconds,
    is_timed,
    joined_tokens,
    language_of,
    piece_of,
    speaker_of,
    text_of,
    times_of,
    values_of,
)

READ = (
    "what is read is the JSON of whisper and its relatives, Vosk, Deepgram, AWS, Google, Azure, "
    'AssemblyAI or Rev.ai, or a list such as [{"word": "hello", "start": 0.2, "end": 0.5}]'
)
_ANSWER = frozenset(("timeline", "checkpoint", "extractors"))


def read_json(content: str, file: str) -> Found:
    """The cues of JSON, of a JSON a line, or of several one after the other.

    Raises:
        InputError: it is none, or holds nothing that is known; or is an answer of affuse.
    """
    try:
        values, skipped = values_of(content)
        found = [alike(value) for value in values]
        if any(isinstance(value, Mapping) and value.keys() >= _ANSWER for value in found):
            problem, remedy = "is an answer of affuse and no transcript", "give another file"
            raise InputError(problem, remedy=remedy, source=file)
        cues = _cues_of(found[0]) if len(found) == 1 else _entries(found)
        if not cues and not any(map(_says_nothing, found)):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise InputError("is not a transcript that is known", remedy=READ, source=file) from None
    language = next(filter(None, map(language_of, found)), None)
    return Found("json", tuple(in_seconds(cues)), language, skipped, subtitles=False)


def _cues_of(found: Any) -> list[Cue]:
    """What an object or a list says; `ValueError` where nothing in it is known."""
    if isinstance(found, list):
        return _entries(found)
    if not isinstance(found, Mapping):
        raise ValueError
    for name, read in _HOLDERS.items():
        if found.get(name):
            return read(found, found[name])
    if not _TEXTS & found.keys() and times_of(found)[0] is None:
        raise ValueError
    return _text_alone(found)


_TEXTS = frozenset(
    ("text", "transcript", "displaytext", "segments", "words", "utterances", "chunks")
)


def _says_nothing(found: Any) -> bool:
    """Whether it is of a recogniser that heard nothing."""
    return found == [] or (isinstance(found, Mapping) and bool(_TEXTS & found.keys()))


def _text_alone(found: Entry) -> list[Cue]:
    text = text_of(found)
    return [cue(*times_of(found), text, speaker_of(found))] if text and text.strip() else []


def _entries(found: Sequence[Any]) -> list[Cue]:
    """A list of words, of segments, or of whatever holds such."""
    entries = [entry for entry in found if entry is not None]
    if any(isinstance(entry, Mapping) and entry.keys() & _HOLDERS.keys() for entry in entries):
        return [one for entry in entries for one in _segment(entry)]
    pieces = [piece for entry in entries if (piece := _piece(entry)) is not None]
    # Without any time it is a list of something, but hardly of what is said.
    if entries and not any(map(is_timed, pieces)):
        raise ValueError
    if 5 * sum(len(piece.text.split()) <= 1 for piece in pieces) >= 4 * len(pieces):
        return runs(pieces)
    return [
        Cue(piece.start, piece.end, (piece._replace(start=None, end=None),)) for piece in pieces
    ]


def _piece(entry: Any) -> Piece | None:
    if isinstance(entry, Mapping) and entry.get("type") in ("spacing", "punct"):
        return None
    return piece_of(entry)


def _segment(entry: Any) -> list[Cue]:
    """A segment, whose words get its speaker and lie between its bounds."""
    start, end = times_of(entry)
    cues = _cues_of(entry)
    if len(cues) != 1:
        return cues
    (one,) = cues
    speaker = speaker_of(entry)
    pieces = tuple(p._replace(speaker=p.speaker or speaker) for p in one.pieces)
    low = one.start if start is None else start
    return [Cue(low, one.end if end is None else end, pieces)]


def _words(found: Entry, words: Any) -> list[Cue]:
    if isinstance(words, Mapping):
        return _cues_of(words)
    if not isinstance(words, list):
        raise ValueError
    start, end = times_of(found)
    if start is None:
        return _entries(words)
    pieces = [piece for entry in words if entry is not None if (piece := _piece(entry)) is not None]
    return [cue_of_words(pieces, start, end)]


def _segments(found: Entry, segments: Any) -> list[Cue]:
    """Segments; their words may stand beside them instead of in them."""
    words = found.get("words")
    if words and not any(isinstance(s, Mapping) and s.get("words") for s in segments):
        return _entries(words)
    return [one for s in segments if s is not None for one in _segment(s)]


def _tokens(found: Entry, tokens: Any) -> list[Cue]:
    """Pieces of words with times of their own, as whisper.cpp has them; others have numbers."""
    known = [t for t in tokens if isinstance(t, Mapping) and isinstance(t.get("text"), str)]
    pieces = joined_tokens([piece for token in known if (piece := piece_of(token)) is not None])
    if not any(piece.start is not None for piece in pieces):
        return _text_alone(found)
    return [cue_of_words(pieces, *times_of(found))]


def _best(found: Entry, alternatives: Any) -> list[Cue]:
    """The first of several readings, with the times of what they are readings of."""
    first = alternatives[0]
    inherited = {k: v for k, v in found.items() if k not in ("alternatives", "nbest", "results")}
    return _cues_of({**inherited, **first})


def _timestamps(found: Entry, stamps: Any) -> list[Cue]:
    lists = isinstance(stamps, list) and all(isinstance(each, list) for each in stamps)
    return _entries(stamps) if lists else _text_alone(found)


def _items(found: Entry, items: Any) -> list[Cue]:
    """Words and marks, each with readings of its own."""
    speakers = _speakers(found.get("speakerlabels"))
    pieces: list[Piece] = []
    for item in items:
        best = (item.get("alternatives") or [item])[0]
        text = text_of(best)
        if text is None:
            raise ValueError
        if item.get("type") in ("punctuation", "punct") and pieces:
            pieces[-1] = pieces[-1]._replace(text=pieces[-1].text + text.strip())
        else:
            start, end = times_of(item)
            speaker = speaker_of(item) or speaker_of(best) or speakers.get(start)
            pieces.append(Piece(text, start, end, speaker))
    if not any(map(is_timed, pieces)):
        raise ValueError
    return runs(pieces)


def _speakers(labelled: Any) -> dict[float | None, str | None]:
    """The second at which a word starts to who says it, where that is told apart."""
    segments = labelled.get("segments", ()) if isinstance(labelled, Mapping) else ()
    items = (item for segment in segments for item in segment.get("items", ()))
    return {times_of(item)[0]: speaker_of(item) for item in items}


def _elements(found: Entry, elements: Any) -> list[Cue]:
    speaker = speaker_of(found)
    cues = _items(found, [e for e in elements if e.get("type") != "unknown"])
    return [Cue(c.start, c.end, tuple(p._replace(speaker=speaker) for p in c.pieces)) for c in cues]


def _channels(found: Entry, channels: Any) -> list[Cue]:
    if found.get("utterances"):
        return _segments(found, found["utterances"])
    cues = [_cues_of(channel) for channel in channels]
    if len(channels) == 1:
        return cues[0]
    return [
        Cue(
            c.start, c.end, tuple(p._replace(speaker=p.speaker or f"channel {n}") for p in c.pieces)
        )
        for n, of_channel in enumerate(cues)
        for c in of_channel
    ]


def _results(found: Entry, results: Any) -> list[Cue]:
    if isinstance(results, Mapping):
        return _cues_of(results)
    typed = [
        r for r in results if isinstance(r, Mapping) and r.get("type") in ("word", "punctuation")
    ]
    if typed and len(typed) == len(results):
        return _items(found, results)
    if not isinstance(results, list) or not any(isinstance(r, Mapping) for r in results):
        return _entries(results)
    cues = [_segment(result) for result in results if isinstance(result, Mapping)]
    *others, last = [sum(len(c.pieces) for c in each) for each in cues]
    # Who spoke is told at the end, of all words once more.
    if others and last >= sum(others) > 0 and any(p.speaker for c in cues[-1] for p in c.pieces):
        return cues[-1]
    return [one for each in cues for one in each]


def _events(_: Entry, events: Any) -> list[Cue]:
    """A video site's captions: texts that begin so many milliseconds after their event."""
    cues = []
    for event in events:
        start, end = times_of(event)
        pieces = [
            Piece(
                part.get("utf8") or "",
                None if start is None else start + part.get("toffsetms", 0) / 1000,
            )
            for part in event.get("segs") or ()
        ]
        cues += [Cue(start, end, tuple(pieces))] if pieces else []
    return cues


def _within(_: Entry, held: Any) -> list[Cue]:
    return _cues_of(held)


# What holds words, in the order in which it is looked for.
_HOLDERS: Mapping[str, Callable[[Entry, Any], list[Cue]]] = {
    "channels": _channels,
    "monologues": _within,
    "elements": _elements,
    "recognizedphrases": _within,
    "phrases": _within,
    "nbest": _best,
    "transcription": _within,
    "segments": _segments,
    "utterances": _segments,
    "chunks": _within,
    "items": _items,
    "results": _results,
    "alternatives": _best,
    "events": _events,
    "segs": lambda found, _: _events(found, [found]),
    "words": _words,
    "result": _words,
    "tokens": _tokens,
    "timestamps": _timestamps,
    "wordsegments": _within,
    **dict.fromkeys(("response", "output", "prediction", "data", "transcripts"), _within),
}
