"""SIGTERM: what is under way is finished, and the process ends by way of its `finally`s."""

from __future__ import annotations

import signal
import threading

import pytest

from affuse.ending import AskedToEnd, kept_on_sigterm, uninterrupted


def test_the_end_comes_after_what_must_be_whole(capsys) -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            signal.raise_signal(signal.SIGTERM)
            done.append("whole")
        done.append("more")

    with pytest.raises(AskedToEnd) as ended, kept_on_sigterm(goes_on=True):
        work()
    assert done == ["whole"]
    assert ended.value.code == 143
    assert "ended by SIGTERM; what is finished is kept" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_second_signal_does_not_interrupt_the_way_out() -> None:
    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(AskedToEnd), kept_on_sigterm(goes_on=False):
        work()


def test_an_interrupt_waits_as_well() -> None:
    done = []

    def work() -> None:
        signal.raise_signal(signal.SIGINT)
        done.append("whole")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["whole"]


def test_who_handles_the_signal_already_still_does() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with kept_on_sigterm(goes_on=True):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_other_threads_are_left_alone() -> None:
    done = []

    def work() -> None:
        with kept_on_sigterm(goes_on=True), uninterrupted():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
