"""The state of the stack machine that a pickle drives: what it reads, holds and has spent."""

from __future__ import annotations

import io
import mmap
import struct
from functools import cached_property
from io import BufferedReader
from typing import Any

from affuse.readers.pickles.values import DamagedError, RefusedError, cost

# An honest file copies a payload at most twice on its way into an array.
COPIES_PER_BYTE = 4
# Strings from this size on are mapped: only the data of arrays is that long.
LONG = 1 << 20


class Machine:
    """Stack, memo and file of one pickle.

    Args:
        file: open at its first byte.
        size: bytes in the file; nothing larger is ever allocated for one value.
        storages: whether it may refer to the storage of a tensor, which follows it.
    """

    def __init__(self, file: BufferedReader, size: int, *, storages: bool = False) -> None:
        self.storages = storages
        self.file = file
        self.size = self.left = size
        self.budget = COPIES_PER_BYTE * size
        self.stack: list[Any] = []  # the part above the last mark
        self.below: list[list[Any]] = []  # the parts under it
        self.memo: dict[int, Any] = {}

    @property
    def position(self) -> int:
        return self.size - self.left

    def take(self, count: int) -> int:
        """Claim `count` bytes of what is left, before any are allocated."""
        if not 0 <= count <= self.left:
            raise DamagedError("it ends too soon")
        self.left -= count
        return count

    def read(self, count: int) -> bytes:
        data = self.file.read(self.take(count))
        if len(data) != count:
            raise DamagedError("it ends too soon")
        return data

    def read_string(self, count: int) -> bytes | memoryview:
        """`count` bytes: a copy or, where they are many, a view of the file itself."""
        if count < LONG:
            return self.read(count)
        begin = self.position
        self.file.seek(self.take(count), io.SEEK_CUR)
        return self._mapping[begin : begin + count]

    @cached_property
    def _mapping(self) -> memoryview:
        return memoryview(mmap.mmap(self.file.fileno(), self.size, access=mmap.ACCESS_READ))

    def read_line(self, longest: int) -> bytes:
        line = self.file.readline(longest)
        self.take(len(line))
        if not line.endswith(b"\n"):
            raise DamagedError("a line without its end")
        return line[:-1]

    def read_number(self, layout: str) -> Any:
        return struct.unpack(layout, self.read(struct.calcsize(layout)))[0]

    def spend(self, arguments: object) -> None:
        """Count what may be copied: a file that repeats itself must not fill the memory."""
        self.budget -= cost(arguments)
        if self.budget < 0:
            raise RefusedError("it unfolds to many times its size")

    def pop_to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.below.pop()
        return items
