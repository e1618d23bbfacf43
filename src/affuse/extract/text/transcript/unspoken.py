"""What stands in a transcript and is not speech: descriptions of sounds, and lyrics."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NOTES = "♩♪♫♬🎵🎶🎼"
_NOTE = re.compile(f"[{_NOTES}]+")
_SQUARE = re.compile(r"[\[［【][^\[\]［］【】]*(?:[\]］】]|\Z)|\A[^\[\]［］【】]*[\]］】]")
_ROUND = re.compile(r"[(（][^()（）]*[)）]")
_STARS = re.compile(r"(?<![\w*])\*{1,2}(?![\s*])[^*\n]*(?<!\s)\*{1,2}(?![\w*])")
# Between hashes, as teletext marks lyrics; "#name" and "# 1" are speech.
_HASHES = re.compile(r"\A\s*#[^#\d][^#]*#\s*\Z|^\s*#\s+[^\W\d][^#\n]*$", re.MULTILINE)
_LONGEST_SQUARE, _LONGEST = 12, 6  # words
# What sounds, voices and manners of speaking are called, by how the words begin.
_BEGINNINGS = """
    laugh sob sigh cries crying weep whimper wail cough sneez sniff gasp groan moan grunt growl
    scream shout yell shriek whisper murmur mumbl mutter chuckl giggl snicker snort cheer applau
    clap whistl humming hums sings singing chant music melod instrumental drum guitar piano ringing
    rings beep buzz click slam knock banging bangs crash creak rustl footstep thunder thud rumbl
    barks barking meow chirp siren honk gunshot explosion explod noise static silence silent pause
    inaudible indistinct unintelligible unclear crosstalk chatter foreign speaks speaking talking
    audience breath inhal exhal pants panting gulp throat kisses blank_audio audio sound effects
    off-screen offscreen voice-over voiceover narrat continu clatter squeak splash playing plays
    hiss roar howl crackl snore snoring yawn stammer stutter tearful sarcas angrily happily sadly
    softly loudly quietly nervous
""".split()
_SOUNDS = re.compile(
    rf"\b(?:{'|'.join(_BEGINNINGS)})|\A\W*in (?:\w+ ){{1,2}}voice\W*\Z|"
    r"\A\W*in \w+(?:ish|ese|ian|ench|man)\W*\Z",
    re.IGNORECASE,
)
_ME = r"\b(?:i|i'm|i've|i'd|i'll|you|we|me|my|your|our|us|don't|didn't|that's)\b"
# What people say in passing; sounds are not described so.
_SAID = re.compile(
    rf"{_ME}|\b(?:it's|isn't|really|maybe|yes|yeah|no|not|okay|ok|right|sure|well|perhaps|always|"
    r"never|obviously|please|sorry|thanks|hello|of course)\b|"
    r"\A\W*(?:and|but|or|because|if|so|for|which|who|like|then|as|even|just|also|too)\b",
    re.IGNORECASE,
)
_SAID_BY_ME = re.compile(_ME, re.IGNORECASE)


def blanked(text: str, *, subtitles: bool) -> tuple[str, list[str]]:
    """The text with what is not speech replaced by as many spaces; and what that was.

    - What stands in square brackets, if short: `[door slams]`.
    - What stands in parentheses, if short: sounds and manners of speaking, `(sobbing)`. In
      subtitles also anything else at the start or the end of a line, `(distant train)`, unless it
      is worded as people talk: `(I think)` is kept, as is what is longer.
    - Sounds between asterisks, `*sighs*`.
    - Lyrics: what follows a note, up to the next one, or to the end of its line where none comes;
      in subtitles also what is between hashes.
    """
    dropped: list[str] = []
    for found in (_lyrics, _hashes, _square, _round, _stars):
        for start, end in list(found(text, subtitles)):
            dropped.append(" ".join(text[start:end].split()))
            text = text[:start] + " " * (end - start) + text[end:]
    return text, [what for what in dropped if what.strip(_NOTES + "#* ")]


_Spans = Iterator[tuple[int, int]]


def _lyrics(text: str, _: bool) -> _Spans:
    opened: int | None = None
    start = 0
    for line in text.splitlines(keepends=True):
        notes = list(_NOTE.finditer(text, start, start + len(line)))
        end = start + len(line.rstrip())
        lone = len(notes) == 1 and opened is None and not text[notes[0].end() : end].strip()
        if lone and text[start : notes[0].start()].strip():
            yield start, end
            notes = []
        for note in notes:
            # A note at the start of a line always begins lyrics.
            first = not text[start : note.start()].strip()
            if opened is not None and not first:
                yield opened, note.end()
                opened = None
            elif opened is None:
                opened = note.start()
        start += len(line)
    if opened is not None:
        yield opened, len(text)


def _hashes(text: str, subtitles: bool) -> _Spans:
    return (match.span() for match in _HASHES.finditer(text) if subtitles)


def _square(text: str, _: bool) -> _Spans:
    for match in _SQUARE.finditer(text):
        inside = match[0]
        said = _SAID_BY_ME.search(inside) and not _SOUNDS.search(inside)
        if len(inside.split()) <= _LONGEST_SQUARE and not said:
            yield match.span()


def _round(text: str, subtitles: bool) -> _Spans:
    for match in _ROUND.finditer(text):
        inside = match[0][1:-1]
        if len(inside.split()) > _LONGEST:
            continue
        apart = subtitles and (
            _ends_line(text[match.end() :]) or _begins_line(text[: match.start()])
        )
        if _SOUNDS.search(inside) or (apart and not _SAID.search(inside)):
            yield match.span()


def _stars(text: str, _: bool) -> _Spans:
    for match in _STARS.finditer(text):
        if len(match[0].split()) <= _LONGEST and _SOUNDS.search(match[0]):
            yield match.span()


def _begins_line(before: str) -> bool:
    """Whether nothing but the name of a speaker or a dash stands before it in its line."""
    line = before.rpartition("\n")[2].strip(" \t->–—")
    return not line or line.endswith(":")


def _ends_line(after: str) -> bool:
    return not after.partition("\n")[0].strip(" \t.,!?…")
