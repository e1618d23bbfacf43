"""The processes of live sessions: one each, kept for the next session."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from affuse.processes import plain_context
from affuse.service.live_worker import Session, serve_sessions

_GONE = 5.0


class LiveCrew:
    """So many processes for live sessions, started when they are needed.

    Args:
        count: of sessions at once.
    """

    def __init__(self, count: int) -> None:
        self._count, self._lock = count, threading.Lock()
        self._idle: list[LiveLine] = []
        self._busy: set[LiveLine] = set()
        self._closed = False

    def take(self) -> LiveLine | None:
        """A line to a process that has no session; None where all have one."""
        with self._lock:
            if self._closed or len(self._busy) >= self._count:
                return None
            line = self._idle.pop() if self._idle else LiveLine()
            self._busy.add(line)
            return line

    def give_back(self, line: LiveLine, *, whole: bool) -> None:
        """The end of a session; `whole` where its process waits for the next."""
        with self._lock:
            self._busy.discard(line)
            if whole and not self._closed:
                self._idle.append(line)
                return
        line.close()

    @property
    def busy(self) -> int:
        """Sessions now."""
        return len(self._busy)

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            lines = [*self._idle, *self._busy]
            self._idle.clear()
        for line in lines:
            line.close()


class LiveLine:
    """A line to one process; its calls wait in threads of their own, not in the loop."""

    def __init__(self) -> None:
        self._waiting, self._writing = ThreadPoolExecutor(2), threading.Lock()
        context = plain_context("affuse.service.live_worker")
        self._connection, theirs = context.Pipe()
        self._process: Any = context.Process(target=serve_sessions, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    async def send(self, piece: bytes | Session | None) -> None:
        """Send something; it waits while the process is behind."""
        await asyncio.get_running_loop().run_in_executor(self._waiting, self._write, piece)

    async def receive(self) -> tuple[str, dict[str, Any]]:
        """What the process says next; `EOFError` or `OSError` where it is gone."""
        loop = asyncio.get_running_loop()
        said: tuple[str, dict[str, Any]]
        said = await loop.run_in_executor(self._waiting, self._connection.recv)
        return said

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join(_GONE)
        self._connection.close()
        self._waiting.shutdown(wait=False)

    def _write(self, piece: bytes | Session | None) -> None:
        # Whoever stops waiting for one piece sends another.
        with self._writing:
            self._connection.send(piece)
