"""A progress bar on standard error, for extraction that takes more than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int], None]
"""Called with the number of items that were finished since the last call."""


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Advance]:
    """Show a bar of `total` steps while the block runs; nothing where no terminal reads it."""
    console = Console(stderr=True)
    # Refreshed by hand: a refreshing thread must not be alive when worker processes are forked.
    bar = Progress(
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        auto_refresh=False,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(description, total=total)

        def advance(count: int) -> None:
            bar.update(task, advance=count, refresh=True)

        yield advance


OnWork = Callable[[int, int, str], None]
"""Told what is done, of how much (0 where that is not known yet), and a word on the latest."""

QUIET_SECONDS = 20.0
"""Where no terminal shows a bar, a line is printed this often."""


@contextmanager
def work_bar(description: str, unit: str = "epochs", *, quiet: bool = False) -> Iterator[OnWork]:
    """A bar that is told what is done, of how much, and a word on the latest.

    A total of 0 is one that is not known yet. A quiet one shows nothing.
    """
    console = Console(stderr=True)
    bar = Progress(
        *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[latest]}")),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    printed = time.monotonic()

    def update(done: int, total: int, latest: str) -> None:
        nonlocal printed
        word: dict[str, Any] = {"latest": latest} if latest else {}
        bar.update(task, completed=done, total=total or None, **word)
        if not quiet and not console.is_terminal and time.monotonic() - printed > QUIET_SECONDS:
            printed = time.monotonic()
            counted = f"{done} of {total} {unit} " if total else ""
            console.print(f"{description}: {counted}{latest}", highlight=False)

    with bar:
        task = bar.add_task(description, total=None, latest="")
        yield update


@contextmanager
def epochs_bar(
    description: str, epochs: int, *, quiet: bool = False
) -> Iterator[Callable[[int, dict[str, float]], None]]:
    """A bar over the epochs of one run."""
    with work_bar(description, quiet=quiet) as update:
        yield lambda epoch, record: update(
            epoch + 1, epochs, f"validation loss {record['valid_loss']:.3f}"
        )


def say(line: str) -> None:
    """A line on standard error, of what a user did not ask for but should know."""
    Console(stderr=True).print(f"affuse: {line}", markup=False, highlight=False, soft_wrap=True)
