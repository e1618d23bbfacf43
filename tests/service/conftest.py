"""Services that run in this process, with real workers or with some that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from services import Pretence, Running, started


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    """Starts services whose workers are a pretence."""
    monkeypatch.setattr("affuse.service.app.Crew", Pretence)
    running: list[Running] = []

    def begin(**settings: Any) -> Running:
        running.append(started(settings.pop("data", tmp_path / "data"), **settings))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service with a real worker, which many tests share."""
    running = started(tmp_path_factory.mktemp("service"))
    yield running
    running.stop()
