"""A process of its own without the seconds that a new Python needs to load torch and Lightning.

What runs there is a copy of the test's process: it has loaded what the suite has loaded.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from affuse.cli.main import run
from affuse.harness.workers import RUNS_IN
from affuse.processes import preload


class Ended(NamedTuple):
    """How a process ended, and what it wrote to standard output and error."""

    code: int
    out: str
    err: str

    @property
    def output(self) -> str:
        """All that it wrote."""
        return self.out + self.err


class Forked:
    """`action` under way in a copy of this process.

    Workers that it starts come from the same server as those of this process: they have this
    process's environment, not the copy's.

    Args:
        folder: where it works.
    """

    def __init__(self, action: Callable[[], Any], folder: Path) -> None:
        preload(RUNS_IN)
        self._others = set(_workers())
        self._written = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _be_the_process(action, folder, [file.fileno() for file in self._written])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def workers(self) -> set[int]:
        """What the server has begun since this process began, and what still runs.

        Those that another test keeps, a pool or a service, are not its own.
        """
        return set(_workers()) - self._others

    def wait(self, seconds: float = 300) -> Ended:
        """How it ended.

        Raises:
            TimeoutError: it has not.
        """
        deadline = time.monotonic() + seconds
        while True:
            process, status = os.waitpid(self.pid, os.WNOHANG)
            if process:
                break
            if time.monotonic() > deadline:
                raise TimeoutError(f"not done after {seconds} seconds")
            time.sleep(0.002)
        return Ended(os.waitstatus_to_exitcode(status), *map(_content, self._written))


def _content(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()


def run_forked(action: Callable[[], Any], folder: Path) -> Ended:
    """Call `action` in a copy of this process, in `folder`."""
    return Forked(action, folder).wait()


def _workers() -> list[int]:
    """What the server of this process, and of its copies, has begun and what still runs."""
    server = forkserver._forkserver._forkserver_pid
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def typed(*arguments: object) -> Callable[[], None]:
    """What typing `affuse` and these arguments does."""

    def action() -> None:
        sys.argv = ["affuse", *map(str, arguments)]
        run()

    return action


def _be_the_process(action: Callable[[], Any], folder: Path, written: Sequence[int]) -> NoReturn:
    code: object = 1
    try:
        for number, file in enumerate(written, start=1):
            os.dup2(file, number)
        # pytest has put its own there.
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        # A shell's background job ignores interrupts; a user at a terminal does not.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # Ray leaves a handler of its own in a process that has used it.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # The server runs, but only its parent may ask after it.
        forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
        os.chdir(folder)
        if torch := sys.modules.get("torch"):
            # Threads that torch may have begun are not in the copy: to wait for them has no end.
            torch.set_num_threads(1)
        action()
        code = 0
    except SystemExit as asked:
        code = 0 if asked.code is None else asked.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Nothing of pytest's may run twice.
        os._exit(code if isinstance(code, int) else 1)
