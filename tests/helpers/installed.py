"""Packages of other people, without pip."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from affuse import plugins


def install(folder: Path, name: str, entries: str, **modules: str) -> Path:
    """Lay a distribution out as pip would."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(code)
    return folder


def beside(site: Path, action: Callable[[], Any]) -> Callable[[], Any]:
    """`action` in a process that has just begun, where what is installed in `site` is found."""

    def begin() -> None:
        plugins._loaded.clear()
        sys.path.insert(0, str(site))
        action()

    return begin
