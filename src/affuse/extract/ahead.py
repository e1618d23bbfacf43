"""Reading ahead: the next items are made in a thread while the last ones are used."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 0.1


def read_ahead(items: Iterable[T], most: int) -> Generator[T]:
    """The same items in the same order, up to `most` of them made before they are asked for.

    What making them raises is raised where it would have been. When the iterator is closed, the
    thread has ended: it must not wait for ever for an item, as on a stream that may fall silent.
    """
    made: Queue[tuple[T] | BaseException | None] = Queue(most)
    closed = Event()

    def put(item: tuple[T] | BaseException | None) -> bool:
        while not closed.is_set():
            try:
                made.put(item, timeout=_PATIENCE)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = Thread(target=make, name="affuse-read-ahead", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        closed.set()
        thread.join()
