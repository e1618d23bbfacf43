"""A process of its own without the seconds that a new Python needs to load torch and Lightning.

What runs there is a copy of the test's process: it has loaded what the suite has loaded.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn


class Ended(NamedTuple):
    """How a process ended; `output` holds what it wrote to standard output and error."""

    code: int
    output: str


def run_forked(
    action: Callable[[], Any], folder: Path, variables: Mapping[str, str] | None = None
) -> Ended:
    """Call `action` in a copy of this process, in `folder`, with environment variables added."""
    with tempfile.TemporaryFile("w+") as written:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if not process:
            _be_the_process(action, folder, variables or {}, written.fileno())
        _, status = os.waitpid(process, 0)
        written.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), written.read())


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
