"""Results on disk: files written whole or not at all, and JSON that every reader accepts."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from affuse.errors import InputError, file_error

# What is left of the beginning of a URL that was taken for a path; a drive has one letter.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


def require_near(path: Path) -> None:
    """Raise `InputError` where a URL was given for a place on this machine's disks."""
    if path.parts and _SCHEME.fullmatch(path.parts[0]):
        problem = "is a URL, and results are written to disks alone"
        remedy = "give a folder, mounted or copied from afterwards"
        raise InputError(problem, remedy=remedy, source=f"{path.parts[0]}//")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a device or a pipe, which cannot be replaced, as it is.

    Raises:
        InputError: the folder is absent, full or refuses it.
    """
    require_near(path)
    # A link stays one: what it points to is written.
    place = Path(os.path.realpath(path))
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        draft.write_bytes(content)
        draft.replace(place)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise file_error(error, "cannot be written", path) from None


@contextmanager
def written_atomic(path: Path) -> Iterator[IO[bytes]]:
    """Write a file piece by piece, that is there whole or not at all; else as `write_atomic`."""
    place = Path(os.path.realpath(path))
    whole = not path.exists() or path.is_file()
    draft = place.with_name(f".{place.name}.{os.getpid()}") if whole else path
    try:
        with draft.open("wb") as file:
            yield file
        if whole:
            draft.replace(place)
    except OSError as error:
        raise file_error(error, "cannot be written", path) from None
    finally:
        if whole:
            with suppress(OSError):
                draft.unlink(missing_ok=True)


def read_at_most(path: Path, largest: int, kind: str) -> bytes:
    """The content of a file that is meant as `kind`; `InputError` above so many bytes."""
    try:
        if path.stat().st_size > largest:
            raise InputError(f"is too large for a {kind}", remedy="check the path", source=path)
        return path.read_bytes()
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        InputError: it cannot be made.
    """
    require_near(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(error, "cannot be made", folder) from None


def to_strict_json(content: Any) -> str:
    """Indented JSON, with null for nan and infinity, which the format does not have."""
    return json.dumps(_finite(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def null_to_nan(content: Any) -> Any:
    """Nested JSON content with nan wherever it has null."""
    if isinstance(content, dict):
        return {key: null_to_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [null_to_nan(value) for value in content]
    return math.nan if content is None else content


def digest(content: bytes, digits: int = 16) -> str:
    """What tells one content from another: the first of 64 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(content).hexdigest()[:digits]


def digest_json(content: Any) -> str:
    """The same of JSON content, whatever the order of its keys."""
    return digest(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def digest_file(path: Path) -> str:
    """All 64 digits of a file, however large.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None


def holds(folder: Path, name: str, identity: Mapping[str, Any]) -> bool:
    """Whether `folder` was claimed for this work; False where it is absent or empty.

    Args:
        name: of the file that tells.
        identity: JSON content that says which work it is.

    Raises:
        InputError: the folder holds other work, or something else.
    """
    require_near(folder)
    file = folder / name
    if not file.exists():
        # A claim that was killed may have left its draft.
        drafts = folder.is_dir() and all(file.name.startswith(".") for file in folder.iterdir())
        if folder.exists() and not drafts:
            remedy = "give a new or empty folder"
            raise InputError("exists and holds something else", remedy=remedy, source=folder)
        return False
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        remedy = "delete its folder or give another"
        raise InputError("cannot be read", remedy=remedy, source=file)
    if differing := list(differences(identity, found)):
        problem = f"holds other work, made with another {', '.join(differing[:5])}"
        remedy = "repeat its command, or give another folder"
        raise InputError(problem, remedy=remedy, source=folder)
    return True


def claim(folder: Path, name: str, identity: Mapping[str, Any]) -> None:
    """Make `folder` and mark it; to be asked after `holds`."""
    make_folder(folder)
    write_atomic(folder / name, to_strict_json(identity).encode())


def differences(ours: Any, theirs: Any, at: str = "") -> dict[str, tuple[Any, Any]]:
    """Where two trees of dicts differ, as `train.epochs`, to both values."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return {} if ours == theirs else {at: (ours, theirs)}
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys((*ours, *theirs)):
        found |= differences(ours.get(key), theirs.get(key), f"{at}.{key}" if at else key)
    return found
