"""Requests that wait for the end of a job: they are told, and need not look again and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Ends:
    """Whom to tell the end of which job."""

    def __init__(self) -> None:
        # The signal that ends the service may come while the same thread holds it.
        self._lock = threading.RLock()
        self._waiting: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    @contextmanager
    def of(self, job: str) -> Iterator[asyncio.Event]:
        """Set when the job ends, is removed, or the service stops; enter before looking at it."""
        waits = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._waiting.setdefault(job, []).append(waits)
        try:
            yield waits[1]
        finally:
            with self._lock:
                self._waiting[job].remove(waits)
                if not self._waiting[job]:
                    del self._waiting[job]

    def tell(self, job: str | None = None) -> None:
        """A job has ended; None: nobody need wait any more. It may be called from any thread."""
        with self._lock:
            jobs = list(self._waiting) if job is None else [job]
            waiting = [waits for one in jobs for waits in self._waiting.get(one, ())]
        for loop, ended in waiting:
            # A loop that is closed has nobody who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
