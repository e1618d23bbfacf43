"""Answers as Parquet: windows, clips and errors in parts, and a manifest that says which count.

A part counts once the manifest names it, which is written anew after each. So what a run that was
killed left behind is either whole or nothing, and another goes on from there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.files import claim, differences, make_folder, to_strict_json, write_atomic
from affuse.optional import require
from affuse.scale.shards import Hashes, Shard
from affuse.scale.table_rows import KINDS, Columns, Rows, arrow_schema

_SMALL = 4096  # clips; a part of fewer is joined with the next


class Known(NamedTuple):
    """Clips that have an answer: their keys, sorted, and what tells each from a later one."""

    keys: Hashes
    states: Hashes

    def of(self, keys: Hashes) -> tuple[NDArray[np.bool_], Hashes]:
        """Of each key, whether it is known, and the state that it was answered in."""
        if not len(self.keys):
            return np.zeros(len(keys), bool), np.zeros(len(keys), np.uint64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return self.keys[places] == keys, self.states[places]


class Parts:
    """The tables of one share in a folder, which shares may have in common.

    Args:
        folder: is made where it is not there.
        settings: what answers depend on; a folder of other answers is an error.
        columns: of the tables.

    Raises:
        InputError: pyarrow is missing (extra `parquet`); the folder holds something else, or other
            answers.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], columns: Columns, shard: Shard
    ) -> None:
        self._arrow = require("pyarrow", extra="parquet")
        self._parquet = require("pyarrow.parquet", extra="parquet")
        self._folder, self._columns, self._shard = folder, columns, shard
        self._require_ours(settings)
        self._place = folder / f"parts-{shard.label}.json"
        # What failed is tried again.
        self._parts: list[dict[str, Any]] = [
            {**p, "errors": 0} for p in _read(self._place)["parts"]
        ]
        self._next = max((part["number"] for part in self._parts), default=-1) + 1
        if self._parts:
            self._commit({})
        self._remove_strangers()
        self._stale: set[int] = set()

    @property
    def clips(self) -> int:
        """How many have an answer."""
        return sum(part["clips"] for part in self._parts)

    def known(self) -> Known:
        """The clips that have an answer here, by this share or another of the same folder."""
        keys, states = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        for place in sorted(self._folder.glob("parts-*.json")):
            for part in _read(place)["parts"]:
                file = self._folder / "clips" / part["file"]
                table = self._parquet.read_table(file, columns=["key", "state"])
                keys.append(table["key"].to_numpy())
                states.append(table["state"].to_numpy())
        joined = np.concatenate(keys)
        order = np.argsort(joined, kind="stable")
        return Known(joined[order], np.concatenate(states)[order])

    def supersede(self, key: int) -> None:
        """An answer of before stands no longer, since there is another with the next rows."""
        self._stale.add(key)

    def add(self, rows: Rows) -> None:
        """Write rows, and say that they count."""
        if not rows:
            return
        tables = {kind: self._table(kind, rows.of(kind)) for kind in KINDS}
        rewritten = [part for part in self._parts if self._is_rewritten(part)]
        for part in rewritten:
            for kind in (kind for kind in KINDS if part[kind]):
                before = self._current(self._folder / kind / part["file"])
                tables[kind] = self._arrow.concat_tables([before, tables[kind]])
        self._write(tables, rewritten)
        self._stale.clear()

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Say that all is done, and what came of it."""
        self._commit({"finished": True, **summary})

    def _is_rewritten(self, part: Mapping[str, Any]) -> bool:
        if part["clips"] < _SMALL:
            return True
        if not self._stale:
            return False
        file = self._folder / "clips" / part["file"]
        keys = self._parquet.read_table(file, columns=["key"])["key"].to_pylist()
        return not self._stale.isdisjoint(keys)

    def _current(self, file: Path) -> Any:
        table = self._parquet.read_table(file)
        if not self._stale:
            return table
        stays = [key not in self._stale for key in table["key"].to_pylist()]
        return table.filter(self._arrow.array(stays))

    def _table(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> Any:
        schema = arrow_schema(self._arrow, kind, self._columns)
        return self._arrow.Table.from_pylist(list(rows), schema=schema)

    def _write(self, tables: Mapping[str, Any], dropped: Sequence[Mapping[str, Any]]) -> None:
        file = f"part-{self._shard.label}-{self._next:06}.parquet"
        for kind, table in tables.items():
            if len(table) or kind != "errors":
                content = io.BytesIO()
                self._parquet.write_table(table, content, compression="zstd")
                make_folder(self._folder / kind)
                write_atomic(self._folder / kind / file, content.getvalue())
        counts = {kind: len(table) for kind, table in tables.items()}
        self._parts = [part for part in self._parts if part not in dropped]
        self._parts.append({"number": self._next, "file": file, **counts})
        self._next += 1
        self._commit({})
        for part in dropped:
            self._remove(part["file"], KINDS)

    def _commit(self, more: Mapping[str, Any]) -> None:
        content = {"format": 1, "shard": list(self._shard), "parts": self._parts, **more}
        write_atomic(self._place, to_strict_json(content).encode())

    def _remove(self, file: str, kinds: Sequence[str]) -> None:
        for kind in kinds:
            with suppress(OSError):
                (self._folder / kind / file).unlink(missing_ok=True)

    def _remove_strangers(self) -> None:
        """What a run that was killed wrote and did not come to name, and errors of before."""
        named = {part["file"] for part in self._parts}
        for kind in KINDS:
            for file in (self._folder / kind).glob(f"part-{self._shard.label}-*.parquet"):
                if kind == "errors" or file.name not in named:
                    self._remove(file.name, [kind])

    def _require_ours(self, settings: Mapping[str, Any]) -> None:
        place = self._folder / "answers.json"
        if not place.exists():
            if self._folder.exists() and any(self._folder.iterdir()):
                remedy = "give a new or empty folder"
                raise InputError("holds something else", remedy=remedy, source=self._folder)
            claim(self._folder, place.name, settings)
            return
        apart = list(differences(json.loads(to_strict_json(settings)), _read(place)))
        if apart:
            problem = f"holds answers made with another {', '.join(apart[:5])}"
            remedy = "repeat its command, or give another folder"
            raise InputError(problem, remedy=remedy, source=self._folder)


def _read(place: Path) -> dict[str, Any]:
    try:
        content = json.loads(place.read_bytes())
    except FileNotFoundError:
        return {"parts": []}
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        remedy = "delete its folder or give another"
        raise InputError("cannot be read", remedy=remedy, source=place)
    return content
