"""Forward passes of training in bfloat16: every model takes them, also where modalities lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.batches import Batch, collate
from affuse.fusion import create_model, models
from affuse.samples import Corpus, Sample
from affuse.tasks import Regression
from affuse.training.compute import Compute
from affuse.training.module import FusionModule
from affuse.training.presets import Plan, TrainOptions
from affuse.training.session import train_run

WIDTHS = {"text": 12, "audio": 5, "vision": 7}
LACKING: list[tuple[str, ...]] = [(), ("audio",), ("vision",), ("audio", "vision")]
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "hct_mg": [{}, *({"gate": gate} for gate in ("agreement", "paper", "paper-data"))],
}
OPTIONS["hct_mg"] += [{"granularity": granularity} for granularity in ("batch", "sample")]
BUILT = [(name, options) for name in sorted(models()) for options in OPTIONS.get(name, [{}])]


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = np.random.default_rng(0)

    def sample(number: int, lacking: tuple[str, ...]) -> Sample:
        there = {m: width for m, width in WIDTHS.items() if m not in lacking}
        steps = {m: rng.standard_normal((3 + number, w)).astype("f4") for m, w in there.items()}
        return Sample(str(number), steps, np.array([number - 1.5], np.float32))

    return collate([sample(number, lacking) for number, lacking in enumerate(LACKING)])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), BUILT, ids=[f"{n} {o}" for n, o in BUILT])
def test_a_step_of_every_model(batch: Batch, name: str, options: dict[str, Any]) -> None:
    fields = models()[name].cls.Options.model_fields
    still = {field: 0.0 for field in fields if field.endswith("dropout")}
    losses, gradients = [], []
    for half in (False, True):
        torch.manual_seed(0)
        widths = {"text": 12} if name == "unimodal" else WIDTHS
        model = create_model(name, widths, 1, {**still, **options})
        module = FusionModule(model, Regression(-3.0, 3.0), TrainOptions(), 10, 0).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = module.training_step(batch, 0)
        loss.backward()
        found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        losses.append(float(loss.detach()))
        gradients.append(torch.cat(found))
    assert torch.isfinite(gradients[1]).all()
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.97


@pytest.mark.slow
def test_a_run_in_bfloat16_ends_in_float32(corpus: Corpus, small_plan: Any, tmp_path: Path) -> None:
    planned: Plan = small_plan(epochs=2)
    compute = Compute("cpu", precision="bf16-mixed")
    made = train_run(corpus, planned, seed=0, folder=tmp_path / "half", compute=compute)
    full = train_run(corpus, planned, seed=0, folder=tmp_path / "full", compute=Compute("cpu"))
    assert {p.dtype for p in made.model.parameters()} == {torch.float32}
    assert made.training["compute"] == {"precision": "bf16-mixed"}
    pairs = [(run.training["history"][-1]["valid_mae"]) for run in (made, full)]
    assert pairs[0] != pairs[1]
    assert pairs[0] == pytest.approx(pairs[1], rel=0.05)
