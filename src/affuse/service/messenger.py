"""Tells whoever wanted to be called back how a job ended; again, where nobody took it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from affuse.service.job import Job
from affuse.service.ledger import Ledger, Unavailable

_LOOKS = 1.0
_PAUSES = (5.0, 30.0, 300.0)


class Messenger:
    """A thread that calls back.

    Args:
        ledger: of the jobs. What was not told when another process ended is told.
        call_back: posts to a URL; whether it was taken.
    """

    def __init__(self, ledger: Ledger, call_back: Callable[[str, bytes], bool]) -> None:
        self._ledger, self._call_back = ledger, call_back
        self._tried: dict[str, tuple[int, float]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Tell nobody more; what is not told is told by the next."""
        self._stopping.set()

    def _work(self) -> None:
        while not self._stopping.wait(_LOOKS):
            with suppress(Unavailable):
                for job in self._ledger.to_tell():
                    self._tell(job)

    def _tell(self, job: Job) -> None:
        tries, due = self._tried.get(job.id, (0, 0.0))
        if self._stopping.is_set() or time.monotonic() < due:
            return
        told = {} if job.error is None else {"error": job.error}
        body = json.dumps({"id": job.id, "state": str(job.state), **told}).encode()
        taken = self._call_back(job.request.callback or "", body)
        if taken or tries >= len(_PAUSES):
            self._tried.pop(job.id, None)
            self._ledger.told(job.id)
        else:
            self._tried[job.id] = tries + 1, time.monotonic() + _PAUSES[tries]
