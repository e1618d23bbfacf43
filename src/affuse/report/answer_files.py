"""Answers as CSV and as captions, from their JSON content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from affuse.report.csv_tables import csv_text

Content = Mapping[str, Any]

# A caption is read in one glance: no more words, no pause within, no longer than this.
_WORDS, _PAUSE, _SECONDS = 10, 1.0, 6.0


def to_csv(contents: Sequence[Content]) -> str:
    """A row for each window of each clip."""
    rows = [row for content in contents for row in window_rows(content)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return csv_text(columns, rows)


def window_rows(content: Content) -> Iterator[dict[str, Any]]:
    """A row for each window of a clip, then those of each face, where it has any."""
    several = content.get("by_face")
    for window in content["timeline"]:
        said = " ".join(w["word"] for w in words_in(content["words"], window))
        yield {**_row(content, window, "all" if several is not None else None), "text": said}
    for face in several or ():
        for window in face["timeline"]:
            yield _row(content, window, f"face {face['person']}")


def _row(content: Content, window: Content, whose: str | None) -> dict[str, Any]:
    emotion, gate, face = window["emotion"] or {}, window["gate"], window.get("face") or {}
    return {
        "file": content["file"],
        **({} if whose is None else {"of": whose}),
        "start": window["start"],
        "end": window["end"],
        "sentiment": window["sentiment"],
        **interval_of(window),
        **values_of(window),
        "emotion": top_emotion(window),
        "primary": window["primary"],
        "conflict": window["conflict"],
        **{f"emotion_{label}": p for label, p in emotion.items()},
        **{f"gate_{modality}": weight for modality, weight in gate.items()},
        "face": face.get("person"),
        "face_why": face.get("why"),
        "face_quality": window.get("face_quality"),
        "text": "",
        "notices": " | ".join(content["notices"]),
    }


def interval_of(answer: Content) -> dict[str, float | None]:
    """The ends of a sentiment's interval, under the names of their columns."""
    low, high = answer.get("interval") or (None, None)
    return {"sentiment_low": low, "sentiment_high": high}


def values_of(answer: Content) -> dict[str, float]:
    """Several values, such as valence and arousal, under the names of their columns."""
    return {f"value_{name}": value for name, value in (answer.get("values") or {}).items()}


def value_names(content: Content) -> list[str]:
    """The names of several values that any part of a clip's answer tells."""
    parts = (content, *content["timeline"])
    return list(dict.fromkeys(name for part in parts for name in part.get("values") or ()))


def to_srt(content: Content) -> str:
    """Captions: what is said, and below it the affect of the window that it lies in."""
    cues = [cue for window in content["timeline"] for cue in _cues(content["words"], window)]
    blocks = (
        f"{number}\n{_clock(start)} --> {_clock(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    )
    return "\n".join(blocks)


def _cues(words: Iterable[Content], window: Content) -> Iterator[tuple[float, float, str]]:
    affect = f"[{affect_line(window)}]"
    said = words_in(words, window)
    if not said:
        yield window["start"], window["end"], affect
    for group in _groups(said):
        text = " ".join(word["word"] for word in group)
        yield group[0]["start"], max(w["end"] for w in group), f"{text}\n{affect}"


def _groups(words: Sequence[Content]) -> Iterator[list[Content]]:
    group: list[Content] = []
    for word in words:
        if len(group) == _WORDS or (group and _parts(group, word)):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _parts(group: Sequence[Content], word: Content) -> bool:
    """Whether a word is of another caption: said later, by somebody else, or meanwhile."""
    last = group[-1]
    late = word["start"] - last["end"] > _PAUSE or word["end"] - group[0]["start"] > _SECONDS
    return late or word["start"] < last["start"] or word.get("speaker") != last.get("speaker")


def words_in(words: Iterable[Content], window: Content) -> list[Content]:
    """The words whose middle lies in a window."""
    start, end = window["start"], window["end"]
    return [word for word in words if start <= (word["start"] + word["end"]) / 2 < end]


def top_emotion(answer: Content) -> str | None:
    """The likeliest class."""
    emotion = answer["emotion"]
    return max(emotion, key=emotion.__getitem__) if emotion else None


def affect_line(answer: Content) -> str:
    """An answer in a line: values, likeliest class, primary modality, conflict."""
    parts = []
    if answer["sentiment"] is not None:
        parts.append(f"sentiment {answer['sentiment']:+z.1f}{_between(answer)}")
    for name, value in (answer.get("values") or {}).items():
        parts.append(f"{name} {value:+z.1f}")
    top = top_emotion(answer)
    if top is not None:
        open_ = "undecided, " if answer.get("undecided") else ""
        parts.append(f"{open_}{top} {answer['emotion'][top]:.0%}")
    if answer["primary"] is not None:
        parts.append(f"by {answer['primary']}")
    if answer["conflict"] is not None:
        parts.append(f"conflict {answer['conflict']:.0%}")
    return ", ".join(parts) or "nothing seen or heard"


def _between(answer: Content) -> str:
    low, high = answer.get("interval") or (None, None)
    return "" if low is None else f" ({low:+z.1f} to {high:+z.1f})"


def account_lines(content: Content) -> Iterator[str]:
    """What was read of a recording, a line each for its words, its sound and its pictures."""
    said, streams, faces = content["transcript"], content["streams"], content["faces"]
    if said is not None:
        of = f"{said['inside']} of {said['words']} words inside, {said['known']:.0%} known"
        yield f"words: {said['file'] or 'as given'} ({said['format']}), {of}"
    if (sound := streams["sound"]) is not None:
        channels = ", ".join(sound["used"]) or "none"
        heard = f"channels {channels}; {content['speech']:.1f} s of speech"
        yield f"sound: audio track {_track(sound)}, {heard}"
    if (picture := streams["picture"]) is not None:
        seen = f"a face {faces['share']:.0%} of the time, at most {faces['people']} at once"
        yield f"pictures: video track {_track(picture)}; {seen}{_whose(content)}"
    if (adapted := content.get("adapted")) is not None:
        yield f"adapted to the {adapted['to']}, by {adapted['utterances']} utterances"


_WHYS = {"speaks": "who speaks", "largest": "the largest"}


def _whose(content: Content) -> str:
    """Of several faces, which one is read most and why."""
    face = content.get("face") or {}
    if face.get("why") not in _WHYS:
        return ""
    return f"; mostly that of person {face['person']} is read, {_WHYS[face['why']]}"


def _track(stream: Content) -> str:
    named = [name for name in (stream["title"], stream["language"], stream["codec"]) if name]
    return f"{stream['track']} of {stream['tracks']} ({', '.join(named)})"


def _clock(seconds: float) -> str:
    total = round(seconds * 1000)
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"
