"""Worker processes: started afresh, and gone with the process that started them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import forkserver, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import (
    ForkServerContext,
    ForkServerProcess,
    SpawnContext,
    SpawnProcess,
)
from typing import Any

from affuse.errors import InputError
from affuse.plugins import registered_in


def worker_context(module: str) -> ForkServerContext | SpawnContext:
    """How workers start: a fork would inherit torch's threads in an unknown state.

    Args:
        module: what they run. It is imported once for all, and Lightning, which they train with.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = _Context()
    context.set_forkserver_preload([module, "affuse.training.fit"])
    return context


def plain_context(module: str) -> ForkServerContext | SpawnContext:
    """How workers start that never import torch, and need nothing of a user's script.

    Args:
        module: what they run, imported once for all where that is possible.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return PlainContext()
    context = _PlainForkServer()
    context.set_forkserver_preload([module])
    return context


class _Process(ForkServerProcess):
    """A worker that does not run the user's script again, unless it needs what is defined there.

    So a script needs no `if __name__ == "__main__"` around its calls of affuse.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - its name in multiprocessing
        with _without_main() if "__main__" not in registered_in else nullcontext():
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


class _PlainProcess(ForkServerProcess):
    """Likewise, of what needs nothing that a user's script may have defined."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - its name in multiprocessing
        with _without_main():
            return ForkServerProcess._Popen(process_obj)


class _PlainForkServer(ForkServerContext):
    Process = _PlainProcess


class _Spawned(SpawnProcess):
    """Likewise, of what needs nothing that a user's script may have defined."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - its name in multiprocessing
        with _without_main():
            return SpawnProcess._Popen(process_obj)


class PlainContext(SpawnContext):
    """How workers start that never import torch."""

    Process = _Spawned


_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that start meanwhile have one core each, unless the user said otherwise."""
    ours = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(ours, "1"))
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide where the script lies from what tells a new process to run it."""
    main = sys.modules["__main__"]
    hidden = {name: vars(main)[name] for name in ("__spec__", "__file__") if name in vars(main)}
    try:
        for name in hidden:
            setattr(main, name, None)
        yield
    finally:
        for name, value in hidden.items():
            setattr(main, name, value)


def preload(module: str) -> None:
    """Let what workers need begin to load, beside this process, before the first is asked for."""
    if isinstance(worker_context(module), ForkServerContext):
        forkserver.ensure_running()


class WorkerKilledError(InputError):
    """A worker is gone without a word; another may do its work."""


def worker_killed() -> WorkerKilledError:
    """The error for a worker that is gone without a word."""
    remedy = "repeat with fewer --jobs; what is finished is kept"
    if "__main__" in registered_in:
        remedy = "put the calls of your script under if __name__ == '__main__', or " + remedy
    problem = "a worker process was killed, perhaps for want of memory"
    return WorkerKilledError(problem, remedy=remedy)


def begin_worker() -> None:
    """What every worker that trains does first."""
    import torch

    begin_plain_worker()
    # One core a run: small models gain nothing from two, and results depend on the count.
    torch.set_num_threads(1)


def begin_plain_worker() -> None:
    """What every worker does first, torch or not."""
    # What has been imported stays: to look through it for garbage would take a third of a second.
    gc.freeze()
    # An interrupt reaches the whole group; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End with the parent, however it ends: an orphan would write into the next one's runs."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
