"""One computational sequence of the CMU-MultimodalSDK: an HDF5 file that a stranger may have made.

`/<root>/data/<entry>/{features (n, d), intervals (n, 2)}` and `/<root>/metadata/<key>`, JSON text.
Zadeh et al. (2018), "Multi-attention Recurrent Network for Human Communication Comprehension".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.optional import require
from affuse.readers.hdf5 import own_member, require_within
from affuse.readers.npz import DAMAGE
from affuse.readers.pickles.parts import plain_text

# Features compress to a tenth or so; gzip itself reaches a thousandth, of zeros.
_UNFOLDING = 200


class Entry(NamedTuple):
    """What a sequence has of one video or segment."""

    features: NDArray[Any]  # `(n, d)`, numbers or words in bytes or text
    intervals: NDArray[np.float64]  # float64 `(n, 2)`, the second at which each row begins and ends


class CsdFile:
    """A sequence whose file is open; `open_csd` makes it."""

    def __init__(self, path: Path, file: Any, h5py: Any) -> None:
        self.path = path
        self._h5py = h5py
        roots = [name for name in file if self._is_group(file, name)]
        if len(roots) != 1:
            self._refuse(f"has {len(roots)} groups at its root, not one")
        self.root = plain_text(roots[0])
        self._root = file[roots[0]]
        self._data = self._group(self._root, "data")
        self.entries: Sequence[str] = tuple(self._data)
        self._known = frozenset(self.entries)

    def __contains__(self, entry: object) -> bool:
        return entry in self._known

    def read(self, entry: str) -> Entry:
        """The features and intervals of one entry; `InputError` unless they are as in `Entry`."""
        with self.guarded(entry):
            group = self._group(self._data, entry)
            features = self._array(group, "features", "fiuSO")
            intervals = self._array(group, "intervals", "fiu").astype(np.float64)
        if features.ndim == 1:
            features = features[:, None]
        if features.ndim != 2 or intervals.shape != (len(features), 2):
            shapes = f"features of shape {features.shape} and intervals of shape {intervals.shape}"
            self._refuse(f"'{ascii(entry)[1:-1][:80]}' has {shapes}")
        return Entry(features, intervals)

    def dimension_names(self) -> tuple[str, ...] | None:
        """The names of the features' columns, where the metadata has them."""
        with self.guarded("metadata"):
            if not self._is_group(self._root, "metadata"):
                return None
            metadata = self._root["metadata"]
            if "dimension names" not in metadata:
                return None
            text = np.ravel(self._array(metadata, "dimension names", "SO"))[0]
        try:
            names = json.loads(_text(text))
        except (ValueError, RecursionError):
            return None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return None
        return tuple(plain_text(name) for name in names)

    @contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """Turn whatever a damaged file raises into one error."""
        try:
            yield
        except DAMAGE as error:
            # Only the first words: HDF5 tells where in its own code it gave up.
            reason = f"{type(error).__name__}: {error}"[:80]
            self._refuse(f"'{ascii(what)[1:-1][:80]}' cannot be read ({plain_text(reason)})")

    def _is_group(self, parent: Any, name: str) -> bool:
        return own_member(parent, name, self._h5py.Group) is not None

    def _group(self, parent: Any, name: str) -> Any:
        if (group := own_member(parent, name, self._h5py.Group)) is None:
            self._refuse(f"has no group '{ascii(name)[1:-1][:80]}'")
        return group

    def _array(self, group: Any, name: str, kinds: str) -> NDArray[Any]:
        if (data := own_member(group, name, self._h5py.Dataset)) is None:
            self._refuse(f"has no array '{name}'")
        try:
            require_within(data, _UNFOLDING)
        except ValueError as error:
            self._refuse(f"'{name}' {error}")
        if data.dtype.kind not in kinds or (
            data.dtype.kind == "O" and self._h5py.check_string_dtype(data.dtype) is None
        ):
            self._refuse(f"'{name}' is of type {data.dtype}")
        return np.asarray(data[()])

    def _refuse(self, problem: str) -> NoReturn:
        raise InputError(problem, remedy="fetch the file again, or leave it out", source=self.path)


@contextmanager
def open_csd(path: Path) -> Iterator[CsdFile]:
    """A .csd file, open for as long as the block runs; `InputError` where it is no such file."""
    h5py = require("h5py", extra="csd")
    try:
        if not path.is_file():
            raise OSError("not a file")
        file = h5py.File(path, "r", locking=False)
    except DAMAGE as error:
        problem = f"is no HDF5 file, or a damaged one ({str(error)[:80]})"
        raise InputError(problem, remedy="fetch it again", source=path) from None
    with file:
        try:
            csd = CsdFile(path, file, h5py)
        except DAMAGE as error:
            problem = f"is damaged ({type(error).__name__})"
            raise InputError(problem, remedy="fetch it again", source=path) from None
        yield csd


def words_of(features: NDArray[Any]) -> list[str]:
    """Words, one a row, from bytes or text."""
    return [plain_text(_text(row)) for row in features[:, 0].tolist()]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
