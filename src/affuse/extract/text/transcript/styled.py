"""SubStation Alpha, .ass and .ssa: dialogue in columns, with codes in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from affuse.extract.text.transcript.clock import seconds_of
from affuse.extract.text.transcript.cues import Cue, Found, Piece

_SIGN = re.compile(
    r"^\s*\[(?:script info|v4\+? styles|events)\]|^dialogue:.*,.*,", re.IGNORECASE | re.MULTILINE
)
_COLUMNS = "layer start end style name marginl marginr marginv effect text".split()
_CODES = re.compile(r"\{([^{}]*)\}")
_DRAWING = re.compile(r"\\p(\d+)")
_KARAOKE = re.compile(r"\\[kK][fo]?(\d+(?:\.\d+)?)")


def read_styled(content: str) -> Found | None:
    """The cues of a SubStation file; None for another. Comments and drawings are not text."""
    if _SIGN.search(content) is None:
        return None
    columns: Sequence[str] = _COLUMNS
    cues, skipped, events = [], 0, True
    for line in content.splitlines():
        kind, _, rest = line.strip().partition(":")
        kind = kind.lower()
        if kind.startswith("["):
            events = kind.startswith("[events")
        elif kind == "format" and events:
            columns = [name.strip().lower() for name in rest.split(",")]
        elif kind == "dialogue":
            found = _dialogue(rest, columns)
            skipped += found is None
            cues += [found] if found else []
    return Found(
        "ssa" if re.search(r"v4\.00\s*$|\[v4 styles\]", content, re.I | re.M) else "ass",
        tuple(cues),
        skipped=skipped,
    )


def _dialogue(row: str, columns: Sequence[str]) -> Cue | None:
    values = dict(zip(columns, row.split(",", len(columns) - 1), strict=False))
    start, end = seconds_of(values.get("start")), seconds_of(values.get("end"))
    if start is None or "text" not in values:
        return None
    name = (values.get("name") or values.get("actor") or "").strip() or None
    return Cue(start, end, tuple(_pieces(values["text"], start, name)))


def _pieces(text: str, start: float, name: str | None) -> Iterator[Piece]:
    """What is shown, parted where karaoke codes tell how long a syllable lasts."""
    drawing, sung, said, time = False, start, "", None
    for number, part in enumerate(_CODES.split(text)):
        if number % 2 == 0:
            said += "" if drawing else re.sub(r"\\[Nn]", "\n", part).replace(r"\h", " ")
            continue
        if modes := _DRAWING.findall(part):
            drawing = int(modes[-1]) > 0
        for lasts in _KARAOKE.findall(part):
            if said:
                yield Piece(said, time, None, name)
            said, time = "", sung
            sung += float(lasts) / 100
    if said:
        yield Piece(said, time, None, name)
