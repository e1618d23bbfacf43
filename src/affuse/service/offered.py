"""The checkpoints that a service answers by, by their names; no path comes from outside."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from affuse.errors import InputError, unknown_name
from affuse.runtime.bundle import CONFIG, BundleConfig, read_config
from affuse.tasks import Continuous, Regression, Task, Values


class Offered:
    """Those that come with affuse, and those of a folder that the operator names.

    Args:
        folder: of folders that `affuse export` wrote.

    Raises:
        InputError: the folder holds none, or one of a name that is taken.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            # What is wrong with it should show before anybody asks.
            self._configs  # noqa: B018

    def require(self, name: str | None) -> None:
        """Raise `InputError` for a name that is not offered."""
        if name is not None and name not in self._places:
            raise unknown_name("checkpoint", name[:80], self._places)

    def place(self, name: str | None) -> str | None:
        """What a worker loads: None for all that come with affuse."""
        self.require(name)
        return None if name is None else str(self._places[name].absolute())

    def to_dict(self) -> dict[str, Any]:
        """The list, as it is answered."""
        listed = [_described(name, config) for name, config in self._configs]
        return {"checkpoints": listed, "default": list(self._by_default)}

    @cached_property
    def _by_default(self) -> dict[str, Path]:
        # Imported when it is needed: a service should answer before it reads clips.
        from affuse.runtime.checkpoints import SHIPPED, shipped

        return {name: SHIPPED / name for name in shipped()}

    @cached_property
    def _places(self) -> dict[str, Path]:
        from affuse.runtime.checkpoints import SHIPPED, shipped_together

        together = {name: SHIPPED / name for name in shipped_together()}
        places, folder = {**self._by_default, **together}, self._folder
        more = [] if folder is None else sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
        if folder is not None and not more:
            remedy = "give a folder of folders that affuse export wrote"
            raise InputError("holds no checkpoints", remedy=remedy, source=folder)
        for place in more:
            if place.name in places:
                remedy = "give it another name"
                raise InputError("comes with affuse already", remedy=remedy, source=place)
            places[place.name] = place
        return places

    @cached_property
    def _configs(self) -> list[tuple[str, BundleConfig]]:
        """Each with its name, which those that answer side by side have in common."""
        from affuse.runtime.checkpoints import folders_of

        return [
            (name, read_config(folder))
            for name, place in self._places.items()
            for folder in folders_of(place)
        ]


def _described(name: str, config: BundleConfig) -> dict[str, Any]:
    task = Task.from_config(config.task)
    kind = {Regression: "value", Values: "values"}.get(type(task), "classes")
    return {
        "name": name,
        "kind": kind,
        "labels": list(config.task.get("labels") or config.task.get("names") or ()),
        "range": [task.low, task.high] if isinstance(task, Continuous) else None,
        "modalities": list(config.widths),
        "clips": config.clip is not None,
        "terms": config.terms,
    }
