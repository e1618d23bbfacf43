"""Models and corpora from outside affuse, imported when the first of them may be wanted.

Importing a module registers what is decorated in it. Which modules is told in two ways:

- An installed package declares entry points in the groups `affuse.models` and `affuse.corpora`.
- The environment variable `AFFUSE_PLUGINS` names modules, or Python files, with commas between.

Other processes, such as the workers of a benchmark, find the same by themselves.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import warnings
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from affuse.errors import InputError

VARIABLE = "AFFUSE_PLUGINS"
_loaded: set[str] = set()
registered_in: set[str] = set()
"""The modules of all that was registered; workers need `__main__` where it is one of them."""


def load_plugins(group: str) -> None:
    """Import what packages declare under `group`, and what the environment names, once.

    A package that cannot be imported is left out with a warning: what works without it must.

    Raises:
        InputError: a name in the environment variable that cannot be imported.
    """
    if group in _loaded:
        return
    # Before the work: what is imported may ask for models itself.
    _loaded.add(group)
    try:
        for name in filter(None, map(str.strip, os.environ.get(VARIABLE, "").split(","))):
            _import(name)
    except InputError:
        _loaded.discard(group)
        raise
    for entry in entry_points(group=group):
        try:
            entry.load()
        except Exception as error:  # another's code may raise anything
            package = entry.dist.name if entry.dist else "a package"
            message = f"{package}: its {group} '{entry.name}' cannot be used ({_line(error)})"
            warnings.warn(message, stacklevel=2)


def _import(name: str) -> None:
    try:
        if name.endswith(".py"):
            _import_file(Path(name))
        else:
            importlib.import_module(name)
    except Exception as error:  # as above
        raise InputError(
            f"'{name}' cannot be imported ({_line(error)})",
            remedy="name modules that Python finds, or files, with commas between",
            source=VARIABLE,
        ) from None


def _import_file(path: Path) -> None:
    name, file = path.stem, str(path.resolve())
    known = sys.modules.get(name)
    if known is not None:
        if getattr(known, "__file__", None) != file:
            raise ImportError(f"a module named {name} is there already; rename the file")
        return
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(sys.modules[name])
    except BaseException:
        del sys.modules[name]
        raise


def require_same(kind: str, name: str, known: Any, new: Any) -> None:
    """Raise `InputError` where a registered name would change its meaning.

    The same class or function may come again, as where a notebook's cell is run twice.
    """
    if (known.__module__, known.__qualname__) != (new.__module__, new.__qualname__):
        raise InputError(
            f"{kind} '{name}' of {new.__module__} is the name of another in {known.__module__}",
            remedy="register it under a name of its own",
        )


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
