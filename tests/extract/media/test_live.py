from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import active_count

import pytest

from affuse.extract.media.live import read_ahead


def test_items_come_in_order_and_none_is_lost() -> None:
    assert list(read_ahead(range(1000), 3)) == list(range(1000))


def test_a_fault_comes_after_what_was_made_before_it() -> None:
    def faulty() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("third")

    items = read_ahead(faulty(), 8)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="third"):
        next(items)


def test_no_more_is_made_than_was_allowed_and_the_thread_ends_when_it_is_closed() -> None:
    made = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    threads = active_count()
    with closing(read_ahead(endless(), 4)) as items:
        assert [next(items) for _ in range(10)] == list(range(10))
    assert active_count() == threads
    # Ten taken, four that waited, and one that found no room.
    assert len(made) <= 15
