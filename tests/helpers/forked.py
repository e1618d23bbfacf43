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
from collections.abc import Callable, Mapping
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from affuse.cli.main import run
from affuse.processes import worker_context


class Ended(NamedTuple):
    """How a process ended; `output` holds what it wrote to standard output and error."""

    code: int
    output: str


class Forked:
    """`action` under way in a copy of this process.

    Workers that it starts come from the same server as those of this process: they have this
    process's environment, not the copy's.

    Args:
        folder: where it works.
        variables: added to its environment.
    """

    def __init__(
        self, action: Callable[[], Any], folder: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        worker_context("affuse.benchmark.job")
        self._written = tempfile.TemporaryFile("w+")  # noqa: SIM115
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            _be_the_process(action, folder, variables or {}, self._written.fileno())

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

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
        with self._written:
            self._written.seek(0)
            return Ended(os.waitstatus_to_exitcode(status), self._written.read())


def run_forked(
    action: Callable[[], Any], folder: Path, variables: Mapping[str, str] | None = None
) -> Ended:
    """Call `action` in a copy of this process, in `folder`, with environment variables added."""
    return Forked(action, folder, variables).wait()


def workers() -> list[int]:
    """What the server of this process, and of its copies, has begun and what still runs."""
    server = forkserver._forkserver._forkserver_pid
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def typed(*arguments: object) -> Callable[[], None]:
    """What typing `affuse` and these arguments does."""

    def action() -> None:
        sys.argv = ["affuse", *map(str, arguments)]
        run()

    return action


def _be_the_process(
    action: Callable[[], Any], folder: Path, variables: Mapping[str, str], output: int
) -> NoReturn:
    code: object = 1
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        # pytest has put its own there.
        sys.stdin = Path(os.devnull).open()  # noqa: SIM115
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        # A shell's background job ignores interrupts; a user at a terminal does not.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # The server runs, but only its parent may ask after it.
        forkserver.ensure_running = forkserver._forkserver.ensure_running = lambda: None
        os.chdir(folder)
        os.environ.update(variables)
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
