"""Praat's TextGrid, long and short: the tier of words, or the one that says most like it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from affuse.extract.text.transcript.cues import Cue, Found, Piece, runs

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|(?<![\w\[.])([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\]])')
_WORDS = re.compile(r"word|wrd|ort|mot\b", re.IGNORECASE)
_SOUNDS = re.compile(r"phon|syl|pitch|tone|tobi|break|gesture|segment|kan\b|mau\b", re.IGNORECASE)
_SILENCE = frozenset(("", "sil", "sp", "spn", "<eps>", "<p:>", "<sil>", "#", "_", "<unk>", "<usb>"))


class _Tier(NamedTuple):
    name: str
    cues: tuple[Cue, ...]
    skipped: int


def read_textgrid(content: str) -> Found | None:
    """The intervals of a TextGrid's tiers of words, each tier a speaker; None for another file."""
    head = content[:400].lower()
    if "textgrid" not in head or "ootextfile" not in head:
        return None
    tiers = [tier for tier in _tiers(content) if tier.cues]
    chosen = [tier for tier in tiers if _WORDS.search(tier.name)]
    chosen = chosen or [tier for tier in tiers if not _SOUNDS.search(tier.name)]
    cues = tuple(one for tier in chosen for one in tier.cues)
    skipped = sum(tier.skipped for tier in chosen)
    return Found("textgrid", cues, skipped=skipped, subtitles=False)


def _tiers(content: str) -> Iterator[_Tier]:
    # Without its names of fields, the long form is the short one: texts and numbers in one order.
    body = content.partition("<exists>")[2] if "<exists>" in content else content
    found = [
        text.replace('""', '"') if number == "" else float(number)
        for text, number in _TOKEN.findall(body)
    ]
    places = [n for n, value in enumerate(found) if value in ("IntervalTier", "TextTier")]
    for place, following in pairwise([*places, len(found)]):
        if found[place] == "IntervalTier" and place + 5 <= following:
            yield _intervals(str(found[place + 1]), found[place + 5 : following])


def _intervals(name: str, values: Sequence[str | float]) -> _Tier:
    """A tier whose intervals, each a word or more, are joined to what is said without a pause."""
    speaker = name.rpartition(" - ")[0].strip() or None
    words: list[Piece] = []
    skipped = 0
    for start, end, text in zip(values[::3], values[1::3], values[2::3], strict=False):
        if not (isinstance(start, float) and isinstance(end, float) and isinstance(text, str)):
            skipped += 1
        elif text.strip().lower() not in _SILENCE:
            words.append(Piece(text, start, end, speaker))
    return _Tier(name, tuple(runs(words)), skipped)
