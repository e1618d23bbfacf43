"""Several clips asked for at once, and their answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from affuse.errors import AffuseError

T = TypeVar("T")
U = TypeVar("U")

OnShare = Callable[[float], None]
"""Told which share of an answer is done, in [0, 1]."""


class GivenUpError(AffuseError):
    """Nobody waits for an answer any more."""


def side_by_side(ask: Callable[[T, Event], U], items: Iterable[T], at_once: int) -> Generator[U]:
    """What `ask` says of items, in their order, several asked at once.

    The event that it is given is set once nobody wants answers any more.
    """
    given_up, pool = Event(), ThreadPoolExecutor(at_once)
    waiting: deque[Future[U]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(ask, item, given_up))
            if len(waiting) >= 2 * at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        given_up.set()
        pool.shutdown(cancel_futures=True)


def unless(given_up: Event) -> OnShare:
    """Ends the wait for an answer that nobody wants any more."""

    def on_share(share: float) -> None:
        del share
        if given_up.is_set():
            raise GivenUpError("nobody waits for it")

    return on_share
