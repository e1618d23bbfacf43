"""Models on a device other than the host, told without one.

No forward may ask for the value of a tensor, for which the host would have to wait, and nothing may
lie elsewhere than the batch: a tensor that a model makes without `device=` does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    FakeTensorDeviceMismatchError,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode

from affuse.batches import Batch, collate
from affuse.fusion import FusionModel, create_model, layers, models
from affuse.tasks import Regression
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions

# A device that every build of torch knows well enough for tensors without values to lie there.
ELSEWHERE = "lazy:0"
WIDTHS = {"text": 12, "audio": 5, "vision": 7}
BATCHES = {
    "padded": [(4, 9, 6), (1, 1, 1), (7, 2, 11)],
    "unpadded": [(6, 40, 9)] * 3,
    "missing in a sample": [(4, 9, 6), (3, 0, 2), (7, 2, 0)],
    "missing in all": [(4, 0, 6), (3, 0, 2)],
}
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "mult": [{"layers": 1}],
    "hct_mg": [
        {},
        {"granularity": "batch"},
        {"granularity": "sample"},
        {"gate": "paper"},
        {"gate": "fixed:audio"},
        {"members": 2, "strides": {"audio": 4}, "static": ("vision",)},
    ],
}
BUILT = [(name, options) for name in sorted(models()) for options in OPTIONS.get(name, [{}])]

every_model = pytest.mark.parametrize(
    ("name", "options"), BUILT, ids=[f"{n} {o}" if o else n for n, o in BUILT]
)
every_batch = pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES.keys())


class Asked(TorchDispatchMode):
    """Collects the operators that tell the host a value, or whose result's size is one."""

    ASK = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        rows = args[1] if name in ("index", "index_put_", "index_put") else ()
        if name in self.ASK or any(r is not None and r.dtype == torch.bool for r in rows):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """Tensors of which there are only shapes and devices; to ask for a value is an error."""
    # What is made of them must not be kept for those that are there.
    monkeypatch.setattr(layers, "_positions", layers._positions.__wrapped__)
    return FakeTensorMode(allow_non_fake_inputs=True)


def build(name: str, options: dict[str, Any]) -> FusionModel:
    torch.manual_seed(0)
    return create_model(name, WIDTHS, 2, options)


def moved(model: nn.Module) -> nn.Module:
    """What `model.to` does, which tensors that are not there cannot."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(parameter.to(ELSEWHERE)))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, buffer.to(ELSEWHERE))
    return model


def test_asking_is_noticed() -> None:
    x = torch.arange(4.0)
    with Asked() as asked:
        x.max().item(), bool((x > 1).any()), x[x > 1], x[torch.tensor([1, 2])]
    assert asked.found == ["_local_scalar_dense", "_local_scalar_dense", "index"]


@every_model
@every_batch
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.slow
def test_no_forward_asks_for_a_value(name, options, random_samples, lengths, training) -> None:
    batch = collate(random_samples(WIDTHS, lengths))
    model = build(name, options).train(training)
    with Asked() as asked:
        model(batch)
        model(batch, detail=True)
    assert asked.found == []


def training(name: str, options: dict[str, Any]) -> FusionModule:
    every = {"text": 0.1, "audio": 0.2, "vision": 0.3}
    changed = TrainOptions(noise=every, shift=every, time_mask=every)
    model = create_model(name, WIDTHS, 1, options)
    return FusionModule(model, Regression(), changed, steps_per_epoch=1, seed=0).train()


def labelled(batch: Batch) -> Batch:
    return replace(batch, targets=torch.zeros(batch.size, 1))


@every_model
@pytest.mark.slow
def test_no_training_step_asks_for_a_value(name, options, random_samples) -> None:
    batch = labelled(collate(random_samples(WIDTHS, BATCHES["missing in a sample"])))
    module = training(name, options)
    with Asked() as asked:
        module.training_step(batch, 0).backward()
        module.on_train_batch_end()
    assert asked.found == []


def test_what_lies_elsewhere_is_noticed(somewhere) -> None:
    with somewhere, pytest.raises(FakeTensorDeviceMismatchError):
        torch.ones(3).to(ELSEWHERE) + torch.ones(3)
    with somewhere, pytest.raises(DataDependentOutputException):
        torch.ones(3).to(ELSEWHERE).max().item()


@pytest.mark.slow
@every_model
@pytest.mark.parametrize("kind", ["unpadded", "missing in a sample"])
def test_an_answer_lies_where_the_batch_lies(
    name, options, random_samples, kind, somewhere
) -> None:
    batch = collate(random_samples(WIDTHS, BATCHES[kind]))
    model = build(name, options).eval()
    with somewhere:
        output = moved(model)(batch.to(ELSEWHERE), detail=True)
    parts = [*output[:6], *(output.attention or {}).values(), *(output.latents or {}).values()]
    places = {str(part.device) for part in parts if isinstance(part, torch.Tensor)}
    assert places == {ELSEWHERE}


@every_model
@pytest.mark.slow
def test_training_works_where_the_batch_lies(name, options, random_samples, somewhere) -> None:
    if name == "hct_mg":
        # What hides modalities is drawn in the host's memory, which is not there either.
        options = {**options, "modality_dropout": 0.0}
    batch = labelled(collate(random_samples(WIDTHS, BATCHES["missing in all"])))
    module = training(name, options)
    with somewhere:
        loss = moved(module).training_step(batch.to(ELSEWHERE), 0)
        module.on_train_batch_end()
    assert str(loss.device) == ELSEWHERE
