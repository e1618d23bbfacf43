"""Which source code a score was made by, as digests that do not depend on where the code lies."""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType

from affuse.files import digest
from affuse.fusion import models

_AFFUSE = Path(__file__).parents[1]
_TRAINING = ("training", "batches.py", "tasks.py")
"""Below affuse's folder: what decides how a model is trained."""


def code_of(model: str) -> dict[str, str]:
    """Digests of the source of a model and of training, as they were when first asked for.

    A model of a plug-in is known by its package, or by its file and those beside it that it takes
    anything from; one that stands in no file, as in a notebook, by its own text.

    Args:
        model: a registered name; `unimodal:text` is `unimodal`.

    Returns:
        `model` and `training`, 16 hexadecimal digits each.
    """
    cls = models()[model.partition(":")[0]].cls
    # What is read from standard input names a file that is none.
    if Path(getattr(sys.modules.get(cls.__module__), "__file__", None) or "").is_file():
        source = _model_digest(cls.__module__)
    else:
        text = cls.__qualname__
        with suppress(OSError, TypeError):
            text = inspect.getsource(cls)
        source = digest(text.encode())
    return {"model": source, "training": _training_digest()}


@cache
def _training_digest() -> str:
    return _digest(_AFFUSE, *(_AFFUSE / part for part in _TRAINING))


@cache
def _model_digest(name: str) -> str:
    if name.partition(".")[0] == "affuse":
        return _digest(_AFFUSE, _AFFUSE / "fusion")
    module = sys.modules[name]
    path = Path(str(module.__file__))
    if "." in name or path.name == "__init__.py":
        return _digest(path.parent, path.parent)
    # A module by itself has strangers beside it.
    return _digest(path.parent, *map(Path, _used(module, path.parent, set())))


def _used(module: ModuleType, folder: Path, seen: set[str]) -> set[str]:
    """Files of a module and, below `folder`, of all modules that it takes anything from."""
    file = getattr(module, "__file__", None)
    if file is None or file in seen or not Path(file).is_relative_to(folder):
        return seen
    seen.add(file)
    for value in list(vars(module).values()):
        name = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        used = sys.modules.get(name) if isinstance(name, str) else None
        if used is not None:
            _used(used, folder, seen)
    return seen


def _digest(root: Path, *sources: Path) -> str:
    """Of files, and of all Python files in folders, under their names below `root`."""
    found = {f for s in sources for f in (s.rglob("*.py") if s.is_dir() else [s])}
    content = [(file.relative_to(root).as_posix(), file.read_bytes()) for file in found]
    return digest(b"".join(f"{n}\0{len(t)}\0".encode() + t for n, t in sorted(content)))
