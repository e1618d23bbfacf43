"""Files that are called as a transcript would be, and are something else."""

from __future__ import annotations

import re
from pathlib import Path

_LABELS = frozenset(
    """
    anger angry annoyed annoyance anxiety anxious awe bored boredom calm confused contempt disgust
    disgusted excited excitement fear fearful frustrated frustration happiness happy joy joyful
    mixed negative neutral none other pleasant positive sad sadness sarcastic sarcasm surprise
    surprised unknown unpleasant
    """.split()
)
_CAPTIONS = re.compile(
    rb"^\[(?:sentiment [+-]?\d|nothing seen or heard\]|[^\]\n]*\bby (?:text|audio|vision)\b)",
    re.MULTILINE,
)
_PAIR = re.compile(r"\s*(?P<key>[\w][\w .-]{0,30}?)\s*(?P<sign>[:=])\s*(?P<value>.*\S)\s*")
_NUMBERS = re.compile(r"[\d\s.,:;+\-/e%()\[\]]+", re.IGNORECASE)
_PLACE = re.compile(r"\s*(?:\w+://\S+|(?:[\w ~.-]*[/\\])+[\w .-]+|[\w-]+\.\w{2,4})\s*")
_READ = 1 << 16


def why_no_transcript(path: Path) -> str | None:
    """Why a file beside a recording is no transcript, although it could be read as one; or None.

    Captions that affuse wrote are its own answer. Plain text is no transcript if it is empty, a
    label alone (angry), numbers, one path or address, or lines of a name and a value (fps: 25).
    """
    try:
        content = path.open("rb").read(_READ)
    except OSError:
        return None  # who reads it says why it cannot be read
    if _CAPTIONS.search(content.replace(b"\r", b"")):
        return "holds captions that affuse wrote"
    if path.suffix.lower() != ".txt":
        return None if content.strip() else "is empty"
    text = content.decode("utf-8", errors="ignore").strip("\ufeff \t\r\n\0")
    if not text:
        return "is empty"
    if _is_label(text):
        return f"holds a label ({' '.join(text.split())[:30]}) and no transcript"
    if _NUMBERS.fullmatch(text):
        return "holds numbers and no transcript"
    if _PLACE.fullmatch(text):
        return "holds a path or an address and no transcript"
    return "holds names and values and no transcript" if _is_pairs(text) else None


def _is_label(text: str) -> bool:
    words = re.findall(r"[a-z]+", text.lower())
    return 0 < len(words) <= 3 and _LABELS.issuperset(words)


def _is_pairs(text: str) -> bool:
    """Lines of a name and a value; speakers' names have capitals, and more is said."""
    pairs = [_PAIR.fullmatch(line) for line in text.splitlines() if line.strip()]
    if not all(pairs):
        return False
    found = [pair for pair in pairs if pair]
    plain = [p["sign"] == "=" or p["key"][0].islower() or p["key"][0] == "_" for p in found]
    short = [len(p["value"].split()) <= 3 for p in found]
    numbers = [_NUMBERS.fullmatch(p["value"]) is not None for p in found]
    return (all(plain) and 2 * sum(short) > len(found)) or 2 * sum(numbers) > len(found)
