"""A progress bar on standard error, for work that takes more than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int], None]
"""Called with the number of items that were finished since the last call."""


OnWork = Callable[[int, int, str], None]
"""Told what is done, of how much (0 where that is not known yet), and a word on the latest."""

QUIET_SECONDS = 20.0
"""Where no terminal shows a bar, a line is printed this often."""
_REDRAWN_SECONDS = 0.1


@contextmanager
def work_bar(
    description: str, unit: str = "epochs", *, quiet: bool = False, forks: bool = False
) -> Iterator[OnWork]:
    """A bar that is told what is done, of how much, and a word on the latest.

    Args:
        unit: what is counted, for the lines that stand in for it where no terminal shows it.
        quiet: show nothing.
        forks: the work forks processes, in whose presence no thread may redraw the bar; it moves
            when it is told something.
    """
    console = Console(stderr=True)
    bar = Progress(
        *(TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
        TextColumn("{task.fields[latest]}", markup=False),
        console=console,
        transient=True,
        auto_refresh=not forks,
        disable=quiet or not console.is_terminal,
    )
    began = printed = drawn = time.monotonic()

    def update(done: int, total: int, latest: str) -> None:
        nonlocal printed, drawn
        now = time.monotonic()
        word: dict[str, Any] = {"latest": latest} if latest else {}
        bar.update(task, completed=done, total=total or None, **word)
        if forks and now - drawn > _REDRAWN_SECONDS:
            drawn = now
            bar.refresh()
        if not quiet and not console.is_terminal and now - printed > QUIET_SECONDS:
            printed = now
            counted = f"{done} of {total} {unit}" if total else ""
            line = f"{description}: {counted}{_left(done, total, now - began)} {latest}".rstrip()
            console.print(line, markup=False, highlight=False)

    with bar:
        task = bar.add_task(description, total=None, latest="")
        yield update


def _left(done: int, total: int, took: float) -> str:
    """How long the rest takes, in words, if it goes on as before."""
    if not 0 < done < total:
        return ""
    seconds = took * (total - done) / done
    return f", {seconds / 60:.0f} min left" if seconds > 90 else f", {seconds:.0f} s left"


@contextmanager
def items_bar(description: str, unit: str, total: int) -> Iterator[Advance]:
    """A bar over items, in work that forks processes."""
    with work_bar(description, unit, forks=True) as update:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            update(done, total, "")

        update(done, total, "")
        yield advance


@contextmanager
def epochs_bar(
    description: str, epochs: int, *, quiet: bool = False
) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar over the epochs of one run, and of what is trained before it."""
    done = 0
    with work_bar(description, quiet=quiet) as update:

        def on_epoch(epoch: int, record: dict[str, float]) -> None:
            nonlocal done
            # One that goes on begins with a later epoch; what it begins with counts from 0 too.
            done = max(done, epoch) + 1
            update(done, epochs, f"validation loss {record['valid_loss']:.3f}")

        yield on_epoch


def say(line: str) -> None:
    """A line on standard error, of what a user did not ask for but should know."""
    Console(stderr=True).print(f"affuse: {line}", markup=False, highlight=False, soft_wrap=True)
