"""What can be said of a clip: one of several classes, or a number between bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from affuse.errors import InputError
from affuse.readers.clips.label_cells import is_missing
from affuse.readers.clips.labelling import LABEL, names_annotator

KEYS = 9
"""Choices that have a key of their own."""
_MOST, _LONGEST = 40, 60
_GIVE = "say what there is to choose: --labels happy,sad or --low -3 --high 3"


@dataclass(frozen=True)
class Scheme:
    """The choices: names of classes, or else numbers from `low` to `high`."""

    classes: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @property
    def numbers(self) -> bool:
        return not self.classes

    @property
    def choices(self) -> tuple[str, ...]:
        """What is offered as a key each; of numbers, whole ones if there are few, else five."""
        if self.classes:
            return self.classes
        span = self.high - self.low
        whole = self.low == math.floor(self.low) and span == math.floor(span) and span < KEYS
        count = int(span) if whole else 4
        return tuple(f"{self.low + span * step / count:g}" for step in range(count + 1))

    def cell(self, given: Any) -> str:
        """A label as it is written.

        Raises:
            InputError: it is none of the choices.
        """
        if self.classes:
            if given in self.classes:
                return str(given)
        elif isinstance(given, int | float | str) and not isinstance(given, bool):
            try:
                number = float(given)
            except ValueError:
                number = math.nan
            if self.low <= number <= self.high:
                return f"{number:g}"
        raise InputError(f"'{str(given)[:40]}' is no label here", remedy=self._remedy)

    @property
    def _remedy(self) -> str:
        if self.classes:
            return f"choose one of {', '.join(self.classes)}"
        return f"give a number from {self.low:g} to {self.high:g}"


def scheme_of(
    labels: Sequence[str], low: float | None, high: float | None, given: Sequence[str]
) -> Scheme:
    """The scheme that is asked for, else that of the labels that were given before.

    Raises:
        InputError: classes that are no labels, bounds without order, or nothing to go by.
    """
    if labels and (low is not None or high is not None):
        raise InputError("--labels and --low or --high both", remedy="give classes or bounds")
    if labels:
        return Scheme(_classes(labels))
    if low is not None or high is not None:
        if low is None or high is None or not -math.inf < low < high < math.inf:
            raise InputError("bounds need both ends, the lower first", remedy="--low -3 --high 3")
        return Scheme(low=low, high=high)
    known = list(dict.fromkeys(label for label in given if not is_missing(label)))
    if len(known) < 2 or len(known) > _MOST or any(map(_is_number, known)):
        raise InputError("nothing tells what the labels are", remedy=_GIVE)
    return Scheme(_classes(sorted(known)))


def _classes(labels: Sequence[str]) -> tuple[str, ...]:
    names = [name.strip() for name in labels if name.strip()]
    for name in names:
        if is_missing(name) or re.search(r"[\x00-\x1f\x7f]", name) or len(name) > _LONGEST:
            remedy = "give names that are not read as a missing label"
            raise InputError(f"'{name[:40]}' is no name of a class", remedy=remedy)
    twice = next((n for n in names if sum(m.lower() == n.lower() for m in names) > 1), None)
    if twice is not None:
        raise InputError(f"class '{twice}' is named twice", remedy="name each once")
    if not 2 <= len(names) <= _MOST:
        raise InputError(f"{len(names)} classes", remedy=f"name 2 to {_MOST}, --labels happy,sad")
    return tuple(names)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def column_of(others: Sequence[str], column: str, annotator: str) -> tuple[str, str]:
    """The column that labels are written to, and a notice about it or none.

    Args:
        others: the columns of the table of which nothing else is known.
        column: that was asked for, if any.
        annotator: whose labels they are, in a column of their own.

    Raises:
        InputError: several may be meant, or a name that cannot be part of a column's.
    """
    if annotator:
        if column:
            raise InputError("--annotator and --column both", remedy="give one")
        name = f"{LABEL}_{annotator}"
        if not names_annotator(name):
            remedy = "give letters and digits, such as --annotator ann"
            raise InputError(f"annotator '{annotator[:40]}'", remedy=remedy)
        beside = LABEL in others
        return name, f"column {LABEL} stands beside {name}: alone it counts in training" * beside
    if column:
        return column, ""
    usual = [other for other in others if other.lower() in ("label", "emotion", "sentiment")]
    if LABEL in usual or not usual:
        return LABEL, ""
    if len(usual) > 1:
        problem = f"{' and '.join(usual)} may both be labels"
        raise InputError(problem, remedy=f"say which with --column {usual[0]}")
    return usual[0], ""
