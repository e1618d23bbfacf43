"""Errors that reach a user: one line that says what is wrong, with which file, and what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from functools import partial
from pathlib import Path


class AffuseError(Exception):
    """Base of every error that a user can mend. The command line prints it and exits with 2."""


class InputError(AffuseError):
    """A file, an option or a value that cannot be used.

    Args:
        problem: what is wrong, in a clause without a full stop.
        remedy: what to do about it, in a clause without a full stop.
        source: the file or option concerned, shown first.
    """

    def __init__(self, problem: str, *, remedy: str, source: str | Path | None = None) -> None:
        prefix = f"{source}: " if source is not None else ""
        # Foreign messages may span lines; a user gets one.
        super().__init__(" ".join(f"{prefix}{problem}; {remedy}".split()))
        self.problem, self.remedy, self.source = problem, remedy, source

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class without its keywords, in whoever waits for a worker.
        return partial(type(self), remedy=self.remedy, source=self.source), (self.problem,)


class RecordingWarning(UserWarning):
    """What was lost, odd or guessed in a recording that was answered all the same."""


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, source: str | Path | None = None
) -> InputError:
    """The error for a name that is not among `known`: it proposes the nearest one."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    remedy = f"did you mean '{near[0]}'?" if near else f"choose one of: {', '.join(names)}"
    return InputError(f"unknown {kind} '{name}'", remedy=remedy, source=source)


def first_line(error: BaseException) -> str:
    """What another library says, on one line of modest length."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:120]


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def file_error(error: OSError, problem: str, source: str | Path | None) -> InputError:
    """The error for a file or folder that the system refused; `problem` is what cannot be done."""
    full = error.errno in _FULL
    remedy = "make room there and repeat" if full else "give a path that exists and is yours to use"
    return InputError(f"{problem} ({error.strerror or error})", remedy=remedy, source=source)
