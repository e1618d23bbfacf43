"""Which checkpoints come with affuse, and where one lies that is asked for by name."""

from __future__ import annotations

from pathlib import Path

from affuse.errors import InputError, unknown_name
from affuse.runtime.bundle import CONFIG

SHIPPED = Path(__file__).parents[1] / "checkpoints"
"""Where the checkpoints lie that come with affuse, one folder each."""


def shipped() -> tuple[str, ...]:
    """The names of the checkpoints that come with affuse and answer where none is named."""
    return tuple(folder.name for folder in _bundles_in(SHIPPED))


def shipped_together() -> tuple[str, ...]:
    """The names of those that come with affuse and answer side by side where theirs is named."""
    folders = sorted(path for path in SHIPPED.glob("*") if path.is_dir())
    return tuple(folder.name for folder in folders if len(folders_of(folder)) > 1)


def named_folder(name_or_path: str | Path) -> Path:
    """That folder, or the one of the checkpoint of such a name that comes with affuse."""
    place, name = Path(name_or_path), str(name_or_path)
    known = not place.is_dir() and name in (*shipped(), *shipped_together())
    return SHIPPED / place if known else place


def folders_named(name_or_path: str | Path | None) -> list[Path]:
    """The folders of a checkpoint, or of several side by side; of all that come with affuse.

    Raises:
        InputError: no such checkpoint, or this installation has none.
    """
    if name_or_path is None:
        found = _bundles_in(SHIPPED)
        if not found:
            remedy = "install a built wheel, or name a folder that affuse export wrote"
            raise InputError("this installation of affuse has no checkpoints", remedy=remedy)
        return found
    place = named_folder(name_or_path)
    if not place.is_dir():
        known = (*shipped(), *shipped_together(), "a folder")
        raise unknown_name("checkpoint", str(name_or_path), known)
    return folders_of(place)


def folders_of(place: Path) -> list[Path]:
    """The folder of a checkpoint, or those of several that lie in it side by side."""
    return [place] if (place / CONFIG).exists() else _bundles_in(place) or [place]


def _bundles_in(folder: Path) -> list[Path]:
    found = (path.parent for path in folder.glob(f"*/{CONFIG}"))
    return sorted(found, key=lambda place: (_place_of(place.name), place.name))


def _place_of(name: str) -> int:
    """Of a checkpoint beside others: what the first trusts is what an answer shows first."""
    task = name.rpartition("-")[2]
    return _ORDER.index(task) if task in _ORDER else len(_ORDER)


_ORDER = ("sentiment", "emotion", "circumplex")
