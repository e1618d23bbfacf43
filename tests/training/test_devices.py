"""Names of devices, and models that go there and come back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from affuse.errors import InputError
from affuse.training.devices import devices, on_device, resolve_device


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch):
    """A machine with so many graphics cards, and with a GPU of Apple's or without."""

    def give(count: int, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return give


@pytest.mark.parametrize(
    ("count", "mps", "name", "device"),
    [
        (0, False, "auto", "cpu"),
        (0, False, "cpu", "cpu"),
        (2, False, "auto", "cuda:0"),
        (2, False, "cuda", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
        (2, False, "cpu", "cpu"),
        (0, True, "auto", "mps"),
        (1, True, "cuda", "cuda:0"),
    ],
)
def test_a_name_is_a_device(cards, count, mps, name, device) -> None:
    cards(count, mps)
    assert resolve_device(name) == torch.device(device)


@pytest.mark.parametrize(
    ("count", "name", "known"),
    [
        (0, "cuda", "auto, cpu"),
        (0, "mps", "auto, cpu"),
        (2, "cuda:2", "auto, cuda:0, cuda:1, cpu"),
        (1, "gpu", "auto, cuda:0, cpu"),
        (1, "", "auto, cuda:0, cpu"),
    ],
)
def test_what_is_not_there_is_refused(cards, count, name, known) -> None:
    cards(count)
    with pytest.raises(InputError) as refused:
        resolve_device(name)
    assert str(refused.value) == f"this machine has no device '{name}'; choose one of: {known}"


def test_a_model_comes_back(monkeypatch) -> None:
    """To where it was; the meta device is on every machine."""
    monkeypatch.setattr("affuse.training.devices.devices", lambda: ["meta", "cpu"])
    model = nn.Linear(2, 1)
    with on_device(model, "cpu") as device:
        assert device == model.weight.device == torch.device("cpu")
    model = nn.Linear(2, 1, device="meta")
    with pytest.raises(NotImplementedError), on_device(model, "cpu"):
        pass  # nothing can leave it
    assert model.weight.device == torch.device("meta")


def test_the_processor_is_always_there() -> None:
    assert devices()[-1] == "cpu"
