"""The source that decides what a training ends with: that of the model, and of what trains it."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import affuse
from affuse.fusion import models

PACKAGE = Path(affuse.__file__).parent
TRAINING = ("training", "batches.py", "tasks.py")
MODELS = ("fusion",)


@lru_cache
def code_of(model: str) -> dict[str, str]:
    """Digests of the source of a registered model, and of what trains all models.

    A model of a plug-in is known by its module and by those beside it that it uses; one that is
    defined in no file, as in a notebook, by its own text.

    Returns:
        `model` and `training`, 16 hexadecimal digits each.
    """
    cls = models()[model.partition(":")[0]].cls
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        source = _digest([("", _text(cls).encode())])
    elif Path(file).is_relative_to(PACKAGE):
        source = _digest(_own(MODELS))
    else:
        beside = sorted(_modules(module, Path(file).parent, set()))
        source = _digest((name, Path(name).read_bytes()) for name in beside)
    return {"model": source, "training": _digest(_own(TRAINING))}


def _own(places: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for place in places:
        path = PACKAGE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield str(file.relative_to(PACKAGE)), file.read_bytes()


def _modules(module: ModuleType, folder: Path, seen: set[str]) -> set[str]:
    """Files of a module and, below `folder`, of all modules that it takes anything from."""
    file = getattr(module, "__file__", None)
    if file is None or file in seen or not Path(file).is_relative_to(folder):
        return seen
    seen.add(file)
    for value in list(vars(module).values()):
        name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        used = sys.modules.get(name) if isinstance(name, str) else None
        if used is not None:
            _modules(used, folder, seen)
    return seen


def _text(cls: type[Any]) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return cls.__qualname__


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in files:
        # A plug-in may lie anywhere: its name counts, its place does not.
        digest.update(Path(name).name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]
