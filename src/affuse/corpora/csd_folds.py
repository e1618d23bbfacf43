"""Which videos train, validate and test: a file that the user gives beside .csd files."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from affuse.corpora.padded import PARTS
from affuse.errors import InputError, file_error

FOLDS = "folds.json"
STANDARD = "*std_folds.py"
_REMEDY = (
    "give JSON with the lists train, valid and test of video names, or the SDK's own "
    "cmu_mosi_std_folds.py or cmu_mosei_std_folds.py"
)


def find_folds(folder: Path, named: str | None) -> Path:
    """The file of folds: the one that is named, else the one that lies in the folder.

    Raises:
        InputError: there is none, or more than one.
    """
    if named is not None:
        beside = folder / named
        return beside if beside.is_file() else Path(named)
    found = [*folder.glob(FOLDS), *sorted(folder.glob(STANDARD))]
    if len(found) != 1:
        problem = "no folds" if not found else "several files of folds"
        raise InputError(
            f"has {problem}: which videos train and which test is part of no .csd file",
            remedy=f"choose with folds=FILE, or put one file into the folder: {_REMEDY}",
            source=folder,
        )
    return found[0]


def read_folds(file: Path) -> dict[str, str]:
    """Video to part: train, valid or test. Python files are parsed and never run.

    Raises:
        InputError: the file cannot be read, lacks a part, or has a video in two.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise file_error(error, "cannot be read", file) from None
    except ValueError:
        raise InputError("is not text", remedy=_REMEDY, source=file) from None
    lists = _python(text) if file.suffix == ".py" else _json(text)
    parts: dict[str, str] = {}
    for part in PARTS:
        videos = lists.get(part)
        if not isinstance(videos, list) or not all(isinstance(v, str) for v in videos):
            raise InputError(f"has no list '{part}'", remedy=_REMEDY, source=file)
        for video in videos:
            if parts.setdefault(video, part) != part:
                raise InputError(
                    f"video '{video}' is in '{parts[video]}' and in '{part}'",
                    remedy="name each video once",
                    source=file,
                )
    return parts


def _json(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _python(text: str) -> dict[str, Any]:
    """The lists `standard_train_fold` and so on."""
    try:
        statements = ast.parse(text).body
        return {
            name.id.removeprefix("standard_").removesuffix("_fold"): ast.literal_eval(s.value)
            for s in statements
            if isinstance(s, ast.Assign)
            for name in s.targets
            if isinstance(name, ast.Name) and name.id in {f"standard_{p}_fold" for p in PARTS}
        }
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return {}
