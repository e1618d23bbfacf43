"""The locked test part: what the model sees of it, and what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affuse.batches import Batch
from affuse.config import Options
from affuse.errors import InputError
from affuse.evaluation.held_out import answer, hide, open_test, own_copy
from affuse.fusion import FusionModel, FusionOutput
from affuse.samples import Sample
from affuse.tasks import Regression
from affuse.training.checkpoint import Checkpoint

TASK = Regression(-3.0, 3.0)


class FirstValue(FusionModel):
    """Says the first value of the first modality that a sample has, and lets it lead."""

    Options = Options
    gated = True

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths, 1, Options())

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        del detail
        batch = self.admit(batch)
        assert batch.targets is None
        present = self.presence(batch)
        primary = present.int().argmax(dim=1)
        values = torch.stack([self.take(batch, m)[0][:, 0, 0] for m in self.modalities], dim=1)
        gate = torch.nn.functional.one_hot(primary, len(self.modalities)).float()
        return FusionOutput(values.gather(1, primary[:, None]), gate, primary)


def sample(name: str, target: float | None, **values: float) -> Sample:
    sequences = {m: np.full((2, 1), value, np.float32) for m, value in values.items()}
    label = None if target is None else np.array([target], np.float32)
    return Sample(name, sequences, label)


@pytest.fixture
def checkpoint() -> Checkpoint:
    return Checkpoint("first value", FirstValue({"text": 1, "audio": 1}), TASK, None)


def test_metrics_and_who_led(checkpoint: Checkpoint) -> None:
    samples = [
        sample("a", 1.0, text=1.5, audio=9.0),
        sample("b", -1.0, audio=-1.25),
        sample("c", 2.0, text=2.0),
        sample("unlabelled", None, text=9.0),
    ]
    record = open_test(checkpoint, samples, subsets=False)
    assert record["metrics"]["mae"] == pytest.approx((0.5 + 0.25 + 0.0) / 3)
    assert record["metrics"]["acc2_nonzero"] == 1.0
    assert (record["primary"], record["led"]) == ("text", {"text": 2, "audio": 1})
    assert record["gate"] == pytest.approx({"text": 2 / 3, "audio": 1 / 3})
    assert "subsets" not in record
    assert "primary_accuracy" not in record["metrics"]


def test_a_planted_primary_is_compared(checkpoint: Checkpoint) -> None:
    samples = [
        replace(sample("a", 1.0, text=1.0), truth={"primary": "text"}),
        replace(sample("b", 1.0, text=1.0), truth={"primary": "audio"}),
    ]
    assert open_test(checkpoint, samples, subsets=False)["metrics"]["primary_accuracy"] == 0.5


def test_subsets_leave_out_samples_without_data(checkpoint: Checkpoint) -> None:
    samples = [sample("a", 1.0, text=1.0, audio=2.0), sample("b", 1.0, text=1.5)]
    subsets = open_test(checkpoint, samples, subsets=True)["subsets"]
    errors = {kept: metrics["mae"] for kept, metrics in subsets.items()}
    assert errors == pytest.approx({"text": 0.25, "audio": 1.0, "text+audio": 0.25})
    silent = open_test(checkpoint, [sample("a", 1.0, text=1.0)], subsets=True)["subsets"]
    assert set(silent) == {"text", "text+audio"}


def test_the_model_sees_features_in_an_order_of_chance(checkpoint: Checkpoint) -> None:
    seen: list[Batch] = []
    watched = checkpoint.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    samples = [
        replace(sample(f"angry {n}", 1.0, text=float(n)), group=f"g{n % 2}", text="angry")
        for n in range(20)
    ]
    record = open_test(checkpoint, samples, subsets=False)
    watched.remove()
    (batch,) = seen
    assert batch.targets is None
    assert batch.ids == tuple(f"test {n}" for n in range(20))
    values = batch.sequences["text"][:, 0, 0].tolist()
    assert sorted(values) == list(range(20))
    assert values != sorted(values)
    assert record["metrics"]["mae"] == pytest.approx(np.abs(np.arange(20) - 1.0).mean())


def test_answers_are_in_the_order_of_the_samples(checkpoint: Checkpoint) -> None:
    samples = [sample(str(n), 1.0, text=float(n)) for n in range(30)]
    samples[7] = sample("7", 1.0, audio=7.0)
    said = answer(checkpoint, hide(samples), subsets=True)
    assert said.prediction[:, 0].tolist() == list(range(30))
    assert said.primary is not None
    assert said.primary.tolist() == [int(n == 7) for n in range(30)]
    usable, prediction = said.subsets["text"]
    assert usable.tolist() == [n != 7 for n in range(30)]
    assert prediction[:, 0].tolist() == [n for n in range(30) if n != 7]


def test_features_are_kept_without_the_array_that_they_are_a_part_of(tmp_path: Path) -> None:
    table = np.ones((4, 3), np.float32)
    assert not np.shares_memory(own_copy(table[:, :2]), table)
    np.save(tmp_path / "mapped.npy", table)
    mapped = np.asarray(np.load(tmp_path / "mapped.npy", mmap_mode="r"))
    assert own_copy(mapped[1:, :2]).base is not None
    assert np.shares_memory(own_copy(mapped[1:, :2]), mapped)


def test_no_labels_is_an_error(checkpoint: Checkpoint) -> None:
    with pytest.raises(InputError, match="the test part has no labels; use"):
        open_test(checkpoint, [sample("a", None, text=1.0)], subsets=False)
