"""Packages that only some extractors need, imported when they are used."""

from __future__ import annotations

import importlib
from typing import Any

from affuse.errors import InputError


def require(module: str, *, extra: str) -> Any:
    """Import `module`, which the optional dependency group `extra` installs.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there but lacks one of its own dependencies names that dependency.
        raise InputError(
            f"the package '{error.name}' is not installed",
            remedy=f"pip install 'affuse[{extra}]'",
        ) from None
