"""Who speaks, as the text of subtitles and plain transcripts says it: `ANN:`, `>> Ann:`, `- `."""

from __future__ import annotations

import re
from typing import NamedTuple

_MARK = r"(?P<mark>[ \t]*(?:>{2,}|»|[-–—‐•](?=\s|[^\W\d]|[\"'“¿¡.…]))[ \t]*)?"
_NAME = r"[^\W\d_a-z][\w.'’-]*(?:[ ](?:&|and|[^\W_a-z][\w.'’-]*)){0,3}"
_ASIDE = r"(?:[ ]?[(\[][^()\[\]\n]{0,20}[)\]])?"
_LABEL = re.compile(rf"^{_MARK}(?:(?P<name>{_NAME}){_ASIDE}[ ]?[:：](?=\s|$)[ \t]*)?", re.MULTILINE)
# What stands before a colon and is no name, though it begins a sentence.
_NO_NAMES = frozenset(
    """
    a about actually again all also although always and another any anyway as ask at basically
    because before besides but by can conclusion consider correction dear did do does don't
    example fact fine finally first for from fun get go good great guess had has have he he's hello
    her here here's hey hi hint his how however i i'd i'll i'm i've idea if imagine important in
    instead is it it's just last let let's listen look maybe me my never next no not note notice now
    of oh ok okay on once one only or our own p.s point please problem ps question quote reason
    remember reminder result rule said say saying second see she she's simply since so some sorry
    step still summary tell thanks that that's the then there there's therefore these they think
    third this those three time tip to today true two update us wait warning was we well were what
    what's when where which while who why will with yeah yes yet you you're your
    """.split()
)


class Label(NamedTuple):
    """From where to where in a text a label of a line reaches, and whom it names, if any."""

    start: int
    end: int
    speaker: str | None
    marked: bool  # a dash or chevrons say that somebody else speaks


def labels(text: str) -> list[Label]:
    """The labels at the start of lines. "It is 10:30: go" and "Remember: never" have none."""
    found = []
    for match in _LABEL.finditer(text):
        name = match["name"]
        if name is not None and not _is_name(name):
            name = None
        end = match.end() if name is not None or match["name"] is None else match.end("mark")
        marked = bool(match["mark"])
        if name is not None or marked:
            found.append(Label(match.start(), end, name, marked))
    return found


def _is_name(name: str) -> bool:
    return not any(part.lower().strip(".") in _NO_NAMES for part in name.split() if part != "and")
