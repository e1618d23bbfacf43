"""Whose folder it is: a file in it names the work that it was made for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from affuse.errors import InputError
from affuse.files import make_folder, to_strict_json, write_atomic


def holds(folder: Path, name: str, identity: Mapping[str, Any]) -> bool:
    """Whether `folder` was claimed for this work; False where it is absent or empty.

    Args:
        name: of the file that tells.
        identity: JSON content that says which work it is.

    Raises:
        InputError: the folder holds other work, or something else.
    """
    file = folder / name
    if not file.exists():
        # A claim that was killed may have left its draft.
        if folder.exists() and not (folder.is_dir() and all(map(_hidden, folder.iterdir()))):
            raise InputError(
                "exists and holds something else",
                remedy="give a new or empty folder",
                source=folder,
            )
        return False
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InputError(
            "cannot be read", remedy="delete its folder or give another", source=file
        ) from None
    differing = list(differences(identity, found))
    if differing:
        raise InputError(
            f"holds other work, made with another {', '.join(differing[:5])}",
            remedy="repeat its command, or give another folder",
            source=folder,
        )
    return True


def claim(folder: Path, name: str, identity: Mapping[str, Any]) -> None:
    """Make `folder` and mark it; to be asked after `holds`."""
    make_folder(folder)
    write_atomic(folder / name, to_strict_json(identity).encode())


def differences(ours: Any, theirs: Any, at: str = "") -> Iterator[str]:
    """Where two trees of dicts differ, as `train.epochs`."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in dict.fromkeys((*ours, *theirs)):
            yield from differences(ours.get(key), theirs.get(key), f"{at}.{key}" if at else key)
    elif ours != theirs:
        yield at


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")
