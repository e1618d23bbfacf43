"""Services that run in this process, and workers that do as they are told."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asking import Asking

from affuse.errors import AffuseError
from affuse.service.crew import GivenUp
from affuse.service.job import ClipTask
from affuse.service.serving import Serving
from affuse.service.settings import ServiceSettings
from affuse.service.telemetry import Telemetry


class Pretence:
    """Workers that say what the text of a job asks for: `hold` waits, `fail` fails."""

    def __init__(self, count: int, **_: Any) -> None:
        self.count, self.release, self.runs = count, threading.Event(), 0

    def run(
        self, task: ClipTask, on_share: Callable[[float], None], given_up: threading.Event
    ) -> bytes:
        self.runs += 1
        on_share(0.5)
        if task.request.text == "hold":
            while not self.release.wait(0.01):
                if given_up.is_set():
                    raise GivenUp
        if task.request.text == "fail":
            raise AffuseError("it cannot be read")
        return b'{"file": "clip"}\n'

    def close(self) -> None:
        """Nothing."""


class Running:
    """A service that runs, and who asks it."""

    def __init__(self, serving: Serving, thread: threading.Thread, log: io.StringIO) -> None:
        self.serving, self.thread, self.log = serving, thread, log
        self.service, self.address = serving.service, serving.address
        self.ask = Asking(self.address)
        self.port = int(self.address.rpartition(":")[2])

    def stop(self) -> None:
        self.serving.stop()
        self.thread.join(20)


def started(data: Path, **settings: Any) -> Running:
    log = io.StringIO()
    given = {"data": data, "port": 0, "workers": 1, "grace": 0, **settings}
    serving = Serving(ServiceSettings.model_validate(given), Telemetry(log))
    running = Running(serving, serving.run_beside(), log)
    last = time.monotonic() + 20
    while not serving.started and time.monotonic() < last:
        time.sleep(0.01)
    return running
