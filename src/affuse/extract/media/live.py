"""Media that come while they are read: a stream that is being written, and items made ahead."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Iterable
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import IO, TypeVar

from affuse.errors import file_error

T = TypeVar("T")

_PAUSE = 0.05
_PATIENCE = 0.1


class Follower(io.RawIOBase):
    """Reads a file that grows, or standard input.

    A file has ended when it has not grown for `idle` seconds; standard input when it is closed.
    """

    def __init__(self, source: Path | IO[bytes], idle: float = 5.0) -> None:
        super().__init__()
        path = source if isinstance(source, Path) else None
        try:
            # Unbuffered: a buffer would wait until it is full.
            self._file = source.open("rb", buffering=0) if isinstance(source, Path) else source
        except OSError as error:
            raise file_error(error, "cannot be read", path) from None
        self._idle = 0.0 if path is None else idle
        self.name = "standard input" if path is None else str(path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes as soon as there are any; none at the end."""
        began = time.monotonic()
        while True:
            # A buffered stream's own `read` would wait for all of them.
            content: bytes = getattr(self._file, "read1", self._file.read)(size)
            if content or time.monotonic() - began >= self._idle:
                break
            time.sleep(_PAUSE)
        return content

    def close(self) -> None:
        self._file.close()
        super().close()


def read_ahead(items: Iterable[T], most: int) -> Generator[T]:
    """The same items in the same order, up to `most` of them made before they are asked for.

    What making them raises is raised where it would have been. When the iterator is closed, the
    thread has ended: it must not wait for ever for an item, as on a stream that may fall silent.
    """
    made: Queue[tuple[T] | BaseException | None] = Queue(most)
    closed = Event()

    def put(item: tuple[T] | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                made.put(item, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = Thread(target=make, name="affuse-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        closed.set()
        thread.join()
