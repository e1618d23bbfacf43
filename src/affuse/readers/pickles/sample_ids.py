"""Readable, unique names from the ids of pickles, as MulT's triples (video, start, end)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from affuse.errors import InputError


class Identity(NamedTuple):
    """A sample's name and the video that it is cut from, where known."""

    name: str
    video: str | None


class UniqueNames:
    """Makes each name that occurs again its own: `a`, `a#2`, `a#3`."""

    def __init__(self) -> None:
        self._uses: dict[str, int] = {}

    def add(self, name: str) -> str:
        unique = name
        while unique in self._uses:
            self._uses[name] += 1
            unique = f"{name}#{self._uses[name]}"
        self._uses[unique] = 1
        return unique


def read_identities(ids: object, count: int, part: str, source: str) -> list[Identity]:
    """One identity a sample, from triples, single ids, or the position where there are none.

    Raises:
        InputError: another number of ids than `count`, or rows of another form.
    """
    if ids is None:
        return [Identity(f"{part}/{row}", None) for row in range(count)]
    rows = ids.tolist() if isinstance(ids, np.ndarray) else ids
    if not isinstance(rows, list | tuple) or len(rows) != count:
        found = f"{len(rows)} rows" if isinstance(rows, list | tuple) else "no rows"
        raise InputError(
            f"'id' has {found} for {count} samples",
            remedy="give one id a sample, or leave 'id' out",
            source=source,
        )
    return [_identity(row, number, source) for number, row in enumerate(rows)]


def _identity(row: Any, number: int, source: str) -> Identity:
    values = row.tolist() if isinstance(row, np.ndarray) else row
    texts = [_text(v) for v in (values if isinstance(values, list | tuple) else [values])]
    match texts:
        case [str(name)]:
            return Identity(name, None)
        case [str(video), str(start), str(end)]:
            return Identity(f"{video}[{start}-{end}]", video)
    raise InputError(
        f"id {number} is neither a name nor a triple of video, start and end",
        remedy="write such ids, or leave 'id' out",
        source=source,
    )


def plain_text(text: str) -> str:
    """`text` with ? for lone surrogates, which pickles can hold and no other file."""
    return text.encode("utf-8", "replace").decode()


def _text(value: Any) -> str | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, str):
        return plain_text(value)
    if not isinstance(value, int | float):
        return None
    # Six digits are enough for seconds, but not for ids that are counted.
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
