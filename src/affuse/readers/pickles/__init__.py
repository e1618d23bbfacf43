"""The pickles in which the field shares its features, read without running them.

A pickle is a program for a stack machine, and Python's own machine lets it call anything.
The one here knows only the instructions that plain data needs (`steps`), calls only what
`values` lists, and bounds time and memory by the size of the file (`machine`).
"""

from __future__ import annotations

import stat
import struct
from pathlib import Path

from affuse.errors import InputError
from affuse.readers.pickles.machine import Machine
from affuse.readers.pickles.steps import run_pickle
from affuse.readers.pickles.values import DamagedError, RefusedError

_DAMAGE = (
    *(ArithmeticError, AttributeError, DamagedError, LookupError, MemoryError, TypeError),
    *(ValueError, struct.error),
)


def load_pickle(path: Path) -> object:
    """The builtin containers, scalars and numpy arrays of a pickle, without running any of it.

    All protocols are read. Strings that Python 2 wrote become text by Latin-1, which keeps their
    bytes. Arrays may be read-only. Those of 1 MiB or more lie over the file itself: their values
    are fetched when they are used and need no memory of their own. A string of that length that
    is not an array's comes as a `LongString`; no corpus has any.

    Raises:
        InputError: the file cannot be read, is not a pickle or is damaged, or asks for anything
            but builtin data and plain numpy arrays (the error names what).
    """
    try:
        status = path.stat()
        # Asked before opening: a named pipe would wait for its writer.
        if not stat.S_ISREG(status.st_mode):
            raise InputError("it is not a file", remedy="give a pickle file", source=path)
        if not status.st_size:
            raise InputError("the file is empty", remedy="fetch it again", source=path)
        with path.open("rb") as file:
            return _run(Machine(file, status.st_size), path)
    except OSError as error:
        problem = f"it cannot be read ({error.strerror or error})"
        remedy = "check the path and its permissions"
        raise InputError(problem, remedy=remedy, source=path) from None


def _run(machine: Machine, path: Path) -> object:
    try:
        return run_pickle(machine)
    except RefusedError as error:
        problem = f"{error}, which plain data does not need"
        remedy = "check that it is the right file, or save it as plain containers and arrays"
        raise InputError(problem, remedy=remedy, source=path) from None
    except _DAMAGE as error:
        detail = str(error) if isinstance(error, DamagedError) else "it makes no sense"
        problem = f"not a pickle, or a damaged one: {detail} (at byte {machine.position})"
        remedy = "check that it is the right file and fetch it again"
        raise InputError(problem, remedy=remedy, source=path) from None
