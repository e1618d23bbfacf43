"""Content that several processes are to have, with its arrays in files that all of them map.

An array that lies over a file is handed over as its place there; any other of some size is written
to a file beside the content. So however many processes there are, the machine holds values once.
"""

from __future__ import annotations

import io
import mmap
import pickle
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

CONTENT, VALUES = "content.pkl", "values.bin"
# Smaller arrays travel with the content.
_WORTH_A_PLACE = 1024
_ALIGNED = 64


def hand_over(content: Any, folder: Path) -> None:
    """Write content to an existing folder, for `take_over`. Classes and functions go by name."""
    pickled = io.BytesIO()
    with (folder / VALUES).open("wb") as values:
        _Pickler(pickled, values, folder / VALUES).dump(content)
    (folder / CONTENT).write_bytes(pickled.getvalue())


def take_over(folder: Path) -> Any:
    """What was handed over in that folder, to be trusted as the process that wrote it."""
    return pickle.loads((folder / CONTENT).read_bytes())


class _Pickler(pickle.Pickler):
    def __init__(self, content: IO[bytes], values: IO[bytes], file: Path) -> None:
        super().__init__(content, pickle.HIGHEST_PROTOCOL)
        self._values, self._file = values, str(file.absolute())

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is not np.ndarray or obj.nbytes < _WORTH_A_PLACE or obj.dtype.hasobject:
            return NotImplemented
        file, offset = _place_of(obj) or (self._file, self._write(obj))
        return _array, (file, offset, obj.dtype.str, obj.shape)

    def _write(self, array: NDArray[Any]) -> int:
        self._values.write(bytes(-self._values.tell() % _ALIGNED))
        offset = self._values.tell()
        self._values.write(np.ascontiguousarray(array).data)
        return offset


def _place_of(array: NDArray[Any]) -> tuple[str, int] | None:
    """The file over which an array lies in one piece, and its first byte there."""
    root: Any = array
    while isinstance(root, np.ndarray) and not isinstance(root.base, mmap.mmap):
        root = root.base
    filename = getattr(root, "filename", None)
    if filename is None or not array.flags.c_contiguous or array.flags.writeable:
        return None
    first, own = (x.__array_interface__["data"][0] for x in (root, array))
    return str(Path(filename).absolute()), root.offset + own - first


def _array(file: str, offset: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    count = np.dtype(dtype).itemsize * int(np.prod(shape))
    values: NDArray[Any] = _file(file)[offset : offset + count].view(dtype).reshape(shape)
    return values


@cache
def _file(path: str) -> NDArray[np.uint8]:
    return np.asarray(np.memmap(path, np.uint8, mode="r"))
