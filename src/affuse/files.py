"""Results on disk: files written whole or not at all, and JSON that every reader accepts."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from affuse.errors import InputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: the folder is absent or refuses it.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"cannot be written ({error.strerror})",
            remedy="give a path in a folder that exists and is yours to write",
            source=path,
        ) from None


def to_strict_json(content: Any) -> str:
    """Indented JSON, with null for nan, which the format does not have."""
    return json.dumps(_without_nan(content), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _without_nan(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_nan(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def null_to_nan(content: Any) -> Any:
    """Nested JSON content with nan wherever it has null."""
    if isinstance(content, dict):
        return {key: null_to_nan(value) for key, value in content.items()}
    if isinstance(content, list):
        return [null_to_nan(value) for value in content]
    return math.nan if content is None else content
