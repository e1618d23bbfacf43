"""A stream that is still being written, as media decoders read it."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import IO

from affuse.errors import file_error

_PAUSE = 0.05


class Follower(io.RawIOBase):
    """Reads a file that grows, or standard input.

    A file has ended when it has not grown for `idle` seconds; standard input when it is closed.

    Args:
        source: a file, or an open binary stream.
        idle: seconds.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(self, source: Path | IO[bytes], idle: float = 5.0) -> None:
        super().__init__()
        try:
            # Unbuffered: a buffer would wait until it is full.
            self._file = source.open("rb", buffering=0) if isinstance(source, Path) else source
        except OSError as error:
            raise file_error(
                error, "cannot be read", source if isinstance(source, Path) else None
            ) from None
        self._idle = idle if isinstance(source, Path) else 0.0
        self.name = str(source) if isinstance(source, Path) else "standard input"

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
