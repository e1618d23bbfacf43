"""A small controlled corpus, and a model that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from affuse.batches import Batch
from affuse.config import Options
from affuse.fusion import FusionModel, FusionOutput
from affuse.readers import load_corpus
from affuse.samples import Corpus
from affuse.training.presets import Plan, plan

SIZES = {"train": 40, "valid": 20, "test": 20}


class Told(FusionModel):
    """Answers every batch with the output it was given, and remembers what it is told."""

    Options = Options

    def __init__(self, widths: Mapping[str, int], outputs: int, answer: FusionOutput) -> None:
        super().__init__(widths, outputs, Options())
        self.answer = answer
        self.shares: list[float] = []

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        del batch, detail
        return self.answer

    def trust(self, share: float) -> None:
        self.shares.append(share)


@pytest.fixture(scope="session")
def told() -> type[Told]:
    return Told


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return load_corpus("controlled", options=SIZES)


@pytest.fixture(scope="session")
def small_plan() -> Callable[..., Plan]:
    """`small_plan(model, **settings)`: one that trains in a second."""

    def make(model: str = "hct_mg", **settings: Any) -> Plan:
        small = {"width": 16, "heads": 2, "hct_mg.members": 2, "epochs": 3, "batch_size": 16}
        return plan("controlled", model, {**small, **settings})

    return make
