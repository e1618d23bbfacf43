"""The end that a system asks for: SIGTERM, by which Slurm and Kubernetes end work in a moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from affuse.progress import say

EXIT = 128 + signal.SIGTERM
"""What a process ends with that was asked to."""


class AskedToEnd(SystemExit):
    """The process was asked to end; on the way out, what is finished is kept."""

    def __init__(self) -> None:
        super().__init__(int(EXIT))


@contextmanager
def kept_on_sigterm(*, goes_on: bool) -> Iterator[None]:
    """Where SIGTERM would kill, it raises `AskedToEnd` here, once, and a line says so.

    Whoever handles it already still does, and so does the system outside of the main thread.

    Args:
        goes_on: whether the same command would go on where this one ends.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except AskedToEnd:
        kept = "; what is finished is kept, and the same command goes on from there"
        say(f"ended by SIGTERM{kept if goes_on else ''}")
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What begins here is done before a signal to end is heeded."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for asked in came:
            signal.raise_signal(asked)


def _end(*_: object) -> None:
    # A second one must not interrupt what is written on the way out.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise AskedToEnd
