"""Results on disk: files written whole or not at all, and JSON that every reader accepts."""

from __future__ import annotations

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from affuse.errors import file_error


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; a device or a pipe, which cannot be replaced, as it is.

    Raises:
        InputError: the folder is absent, full or refuses it.
    """
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


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        InputError: it cannot be made.
    """
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
