"""The clips in the order in which they are shown, and what was said of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from affuse.annotation.cell_writing import write_labels
from affuse.annotation.scheme import KEYS, Scheme
from affuse.annotation.shelf import Shelf, Shelved
from affuse.errors import InputError


class _Said(NamedTuple):
    number: int
    before: str


class Queue:
    """Clips by their numbers on the shelf; not for several threads at once.

    Args:
        column: that labels are written to.
        order: the numbers of the clips that are shown.

    Attributes:
        order: the same, in which those that are skipped go to the end.
        given: how many clips were labelled, less those that were taken back.
    """

    def __init__(self, shelf: Shelf, scheme: Scheme, column: str, order: Sequence[int]) -> None:
        self._shelf, self._scheme, self.column = shelf, scheme, column
        self.order = list(order)
        self._history: list[_Said] = []

    @property
    def given(self) -> int:
        return len({said.number for said in self._history})

    @property
    def left(self) -> int:
        """How many clips have no label."""
        return sum(not clip.label for clip in self._shelf.clips)

    def clip(self, number: Any) -> Shelved:
        """The clip of a number; `InputError` where there is none."""
        if not isinstance(number, int) or not 0 <= number < len(self._shelf.clips):
            raise InputError("no such clip", remedy="load the page anew")
        return self._shelf.clips[number]

    def label(self, number: Any, given: Any) -> None:
        """Say what a clip is, which is written at once.

        Raises:
            InputError: no such clip or label, or a table that cannot be written.
        """
        clip, label = self.clip(number), self._scheme.cell(given)
        before = clip.label
        self._write(clip, label)
        self._history.append(_Said(number, before))

    def undo(self) -> int | None:
        """Take back what was said last; the number of that clip, or None where nothing was said."""
        if not self._history:
            return None
        said = self._history[-1]
        self._write(self._shelf.clips[said.number], said.before)
        self._history.pop()
        return said.number

    def skip(self, number: Any) -> None:
        """Show a clip again after all others; `InputError` where it is none of those shown."""
        self.clip(number)
        if number in self.order:
            self.order.remove(number)
            self.order.append(number)

    def state(self) -> dict[str, Any]:
        """All that the page shows but for the clip itself, as JSON content."""
        scheme, clips = self._scheme, self._shelf.clips
        return {
            "folder": self._shelf.folder.resolve().name,
            "column": self.column,
            "order": self.order,
            "labels": [clips[number].label for number in self.order],
            "total": len(clips),
            "left": self.left,
            "given": self.given,
            "choices": scheme.choices,
            "keys": KEYS,
            "bounds": [scheme.low, scheme.high] if scheme.numbers else None,
            "undoes": bool(self._history),
        }

    def _write(self, clip: Shelved, label: str) -> None:
        for table in dict.fromkeys(table for table, _ in clip.keys):
            labels = {key: label for other, key in clip.keys if other == table}
            numbers, blank = self._scheme.numbers, self._shelf.blank
            write_labels(table, self.column, labels, numbers=numbers, blank=blank)
        clip.label = label
