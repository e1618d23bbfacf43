"""Rows of what becomes of clips, gathered and written now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from affuse.ending import uninterrupted
from affuse.scale.parquet_parts import Parts
from affuse.scale.table_rows import Rows

if TYPE_CHECKING:
    from affuse.scale.prediction import Outcome

# Rows are written when there are so many clips of them, or after so many seconds.
_FLUSHED_CLIPS, _FLUSHED_SECONDS = 1000, 60.0


class RowKeeper:
    """Writes rows now and then, and at the end, however it comes."""

    def __init__(self, parts: Parts | None) -> None:
        self._parts, self._rows = parts, Rows()
        self._stale: set[int] = set()
        self._written = time.monotonic()

    def known(self, keys: Any) -> tuple[Any, Any]:
        if self._parts is None:
            return (nothing := [False] * len(keys)), nothing
        return self._parts.known().of(keys)

    def supersede(self, key: int) -> None:
        """What was answered before is replaced by what comes."""
        self._stale.add(key)

    def keep(self, outcome: Outcome, key: int) -> None:
        if self._parts is None:
            return
        # Rows of half a clip would be there again with the whole.
        with uninterrupted():
            if key in self._stale:
                self._stale.remove(key)
                self._parts.supersede(key)
            if outcome.content is not None:
                self._rows.answer(key, outcome.content, outcome.row, outcome.state or {})
            elif outcome.error is not None:
                self._rows.error(key, outcome.file, outcome.error)
            late = time.monotonic() - self._written > _FLUSHED_SECONDS
            if late or len(self._rows) >= _FLUSHED_CLIPS:
                self._write()

    def _write(self) -> None:
        if self._parts is not None:
            rows, self._rows = self._rows, Rows()
            self._parts.add(rows)
            self._written = time.monotonic()

    def __enter__(self) -> RowKeeper:
        return self

    def __exit__(self, *_: object) -> None:
        with uninterrupted():
            self._write()
