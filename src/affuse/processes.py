"""Worker processes: started afresh, and gone with the process that started them."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from multiprocessing import forkserver, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext

import torch


def worker_context(module: str) -> ForkServerContext | SpawnContext:
    """How workers start: a fork would inherit torch's threads in an unknown state.

    Args:
        module: what they run. It is imported once for all, and Lightning, which they train with.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module, "affuse.training.fit"])
    return context


def preload(module: str) -> None:
    """Let what workers need begin to load, beside this process, before the first is asked for."""
    if isinstance(worker_context(module), ForkServerContext):
        forkserver.ensure_running()


def begin_worker() -> None:
    """What every worker does first."""
    # What has been imported stays: to look through it for garbage would take a third of a second.
    gc.freeze()
    # An interrupt reaches the whole group; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    # One core a run: small models gain nothing from two, and results depend on the count.
    torch.set_num_threads(1)


def _follow_parent() -> None:
    """End with the parent, however it ends: an orphan would write into the next one's runs."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
