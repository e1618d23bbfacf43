"""What workers of a process pool do in tests, imported in each of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from affuse.errors import InputError


class Order(NamedTuple):
    """A job: what to do, and with what."""

    what: str
    value: Any = None
    source: str = "clip.mp4"


def _slowly(value: Any, tell: Callable[[float, float | None], None]) -> Any:
    tell(1.0, 2.0)
    time.sleep(value)
    return os.getpid()


def _crash_once(value: str, tell: Any) -> str:
    del tell
    if Path(value).exists():
        return "second"
    Path(value).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def _hold(value: float, tell: Any) -> int:
    del tell
    held = b"x" * int(value * 1e6)
    time.sleep(20)
    return len(held)


def _refuse(value: str, tell: Any) -> None:
    del tell
    raise InputError(value, remedy="mend it", source="clip.mp4")


def _fail(value: str, tell: Any) -> None:
    del tell
    raise ValueError(value)


_WORK: dict[str, Callable[[Any, Any], Any]] = {
    "square": lambda value, _: value**2,
    "sleep": _slowly,
    "crash": lambda *_: os.kill(os.getpid(), signal.SIGSEGV),
    "crash once": _crash_once,
    "hold": _hold,
    "refuse": _refuse,
    "fail": _fail,
    "end": lambda *_: os._exit(0),
    "environment": lambda value, _: os.environ.get(value),
}


def make() -> Callable[[Order, Any], Any]:
    return lambda order, tell: _WORK[order.what](order.value, tell)


def make_nothing() -> Callable[[Order, Any], Any]:
    raise InputError("no such checkpoint", remedy="name another")


def die_early() -> Callable[[Order, Any], Any]:
    os._exit(3)
