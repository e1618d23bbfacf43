"""The labels of .csd files, in whichever order they lie, and the folds that divide their videos."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError, file_error
from affuse.readers.csd.sequence_file import CsdFile
from affuse.samples import PARTS, FloatArray
from affuse.tasks import BinaryLabels, Regression, Task

EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
_ALSO = {"happiness": "happy", "sadness": "sad", "angry": "anger", "surprised": "surprise"}
_ALSO |= {"disgusted": "disgust", "fearful": "fear", "afraid": "fear"}
_Rows = tuple[NDArray[np.float64], NDArray[np.float64]]  # labels, and intervals in seconds


class Labels(NamedTuple):
    """The task, and for each entry targets `(n, K)` and intervals `(n, 2)` in seconds."""

    task: Task
    entries: dict[str, tuple[FloatArray, NDArray[np.float64]]]


def read_labels(file: CsdFile, label: str, columns: tuple[str, ...] | None) -> Labels:
    """Sentiment in [-3, 3], or six emotions, each there if its intensity is above 0.

    Files name their columns in the metadata, or the user does. Sentiment without names is the
    only column, or the only one with negative values: the order of columns is never assumed.
    Labels of other shapes or ranges, or columns that nothing names, are an `InputError`.
    """
    values: dict[str, _Rows] = {}
    for name in file.entries:
        features, intervals = file.read(name)
        if features.dtype.kind in "SO":
            remedy = "choose with labels=NAME"
            raise InputError("holds words, not labels", remedy=remedy, source=file.path)
        values[name] = features.astype(np.float64), intervals
    widths = {found.shape[1] for found, _ in values.values()}
    if len(widths) != 1 or 0 in widths:
        remedy = "fetch it again"
        raise InputError(f"has labels of widths {sorted(widths)}", remedy=remedy, source=file.path)
    names = _names(columns or file.dimension_names(), widths.pop(), required=columns is not None)
    chosen = _columns(values, names, label, file)
    task: Task = Regression(-3.0, 3.0) if label == "sentiment" else BinaryLabels(EMOTIONS)
    targets = {name: found[:, chosen].astype(np.float32) for name, (found, _) in values.items()}
    for name, found in targets.items():
        source = f"{file.path}: {ascii(name)[1:-1]}"
        Regression(-3.0 if label == "sentiment" else 0.0, 3.0).check(found, source=source)
    if label == "emotions":
        targets = {name: (found > 0).astype(np.float32) for name, found in targets.items()}
    return Labels(task, {name: (targets[name], values[name][1]) for name in values})


def _names(names: tuple[str, ...] | None, width: int, *, required: bool) -> tuple[str, ...] | None:
    if names is None or len(names) != width:
        if required:
            problem = f"option 'columns' names {len(names or ())} columns of {width}"
            raise InputError(problem, remedy="name every column of the labels, in their order")
        return None
    lower = (name.strip().lower() for name in names)
    return tuple(_ALSO.get(name, name) for name in lower)


def _columns(
    values: Mapping[str, _Rows], names: tuple[str, ...] | None, label: str, file: CsdFile
) -> list[int]:
    wanted = ("sentiment",) if label == "sentiment" else EMOTIONS
    if names is not None and all(names.count(name) == 1 for name in wanted):
        return [names.index(name) for name in wanted]
    stacked = np.concatenate([found for found, _ in values.values()])
    negative = np.flatnonzero((stacked < 0).any(axis=0))
    if label == "sentiment" and (stacked.shape[1] == 1 or len(negative) == 1):
        return [0] if stacked.shape[1] == 1 else negative.tolist()
    problem = f"does not tell which of its {stacked.shape[1]} columns is {' or '.join(wanted)}"
    example = "columns=[sentiment,happy,sad,anger,surprise,disgust,fear]"
    remedy = f"name all of them in their order, such as {example}"
    raise InputError(problem, remedy=remedy, source=file.path)


FOLDS = "folds.json"
STANDARD = "*std_folds.py"
_REMEDY = (
    "give JSON with the lists train, valid and test of video names, or the SDK's own "
    "cmu_mosi_std_folds.py or cmu_mosei_std_folds.py"
)


def find_folds(folder: Path, named: str | None) -> Path:
    """The file of folds: the one that is named, else the only one that lies in the folder."""
    if named is not None:
        beside = folder / named
        return beside if beside.is_file() else Path(named)
    found = [*folder.glob(FOLDS), *sorted(folder.glob(STANDARD))]
    if len(found) != 1:
        problem = "has several files of folds" if found else "has no folds"
        problem += ": which videos train and which test is part of no .csd file"
        remedy = f"choose with folds=FILE, or put one file into the folder: {_REMEDY}"
        raise InputError(problem, remedy=remedy, source=folder)
    return found[0]


def read_folds(file: Path) -> dict[str, str]:
    """Video to part: train, valid or test. Python files are parsed and never run."""
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
                problem = f"video '{video}' is in '{parts[video]}' and in '{part}'"
                raise InputError(problem, remedy="name each video once", source=file)
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
