"""On what a training runs: devices by kind and number, and what is refused."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from affuse.errors import InputError
from affuse.training.compute import Compute, compute_in_words, jobs_at_once


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch):
    """A machine with so many graphics cards."""

    def give(count: int, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)

    return give


@pytest.mark.parametrize(
    ("count", "asked", "names"),
    [
        (0, {}, ["cpu"]),
        (0, {"devices": 3}, ["cpu"] * 3),
        (4, {}, ["cuda:0"]),
        (4, {"accelerator": "gpu", "devices": 2}, ["cuda:0", "cuda:1"]),
        (4, {"devices": 2, "slot": 1}, ["cuda:2", "cuda:3"]),
        (4, {"devices": 2, "slot": 2}, ["cuda:0", "cuda:1"]),
        (3, {"slot": 5}, ["cuda:2"]),
        (3, {"devices": 2, "slot": 5}, ["cuda:0", "cuda:1"]),
        (4, {"device": "cuda:3", "slot": 1}, ["cuda:3"]),
        (4, {"device": "cuda:3", "accelerator": "gpu"}, ["cuda:3"]),
        (4, {"accelerator": "cpu", "devices": 2}, ["cpu", "cpu"]),
        (4, {"device": "cpu"}, ["cpu"]),
    ],
)
def test_devices_of_a_node(cards, count: int, asked: dict[str, Any], names: list[str]) -> None:
    cards(count)
    compute = Compute(**asked).require()
    assert [str(place) for place in compute.places()] == names
    assert compute.name == names[0]


@pytest.mark.parametrize(
    ("count", "mps", "asked", "said"),
    [
        (0, False, {"accelerator": "gpu"}, "no device 'cuda'"),
        (1, False, {"accelerator": "gpu", "devices": 2}, "2 devices, and this machine has 1 GPU"),
        (2, False, {"device": "cuda:1", "devices": 2}, "2 devices on cuda:1, which is one"),
        (0, True, {"devices": 2}, "2 devices on mps, which is one"),
        (0, True, {"precision": "bf16-mixed"}, "mps does not count in bfloat16"),
        (1, False, {"device": "cuda", "accelerator": "cpu"}, "device cuda and accelerator cpu"),
        (1, False, {"device": "cpu", "accelerator": "gpu"}, "device cpu and accelerator gpu"),
        (0, False, {"accelerator": "tpu"}, "unknown accelerator 'tpu'"),
        (0, False, {"precision": "16"}, "unknown precision '16'"),
        (0, False, {"strategy": "dpp"}, "did you mean 'ddp'"),
        (0, False, {"devices": 0}, "give 1 or more of each"),
        (0, False, {"nodes": 2}, "set MASTER_ADDR and MASTER_PORT"),
    ],
)
def test_what_is_not_there_is_refused(
    cards, count: int, mps: bool, asked: dict[str, Any], said: str
) -> None:
    cards(count, mps)
    with pytest.raises(InputError, match=said):
        Compute(**asked).require()


def test_nodes_are_numbered_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"}
    monkeypatch.setattr(os, "environ", {**os.environ, **addresses, "NODE_RANK": "1"})
    compute = Compute(accelerator="cpu", devices=2, nodes=2).require()
    assert (compute.processes, compute.node, compute.leads) == (4, 1, False)
    with pytest.raises(InputError, match="for each of many runs"):
        compute.require_here()
    os.environ["NODE_RANK"] = "2"
    with pytest.raises(InputError, match="node 2 of 2"):
        compute.require()


def test_what_decides_how_a_run_ends_is_told() -> None:
    assert Compute(device="cpu", deterministic=True, slot=3).identity() == {}
    changed = Compute(devices=2, precision="bf16-mixed").identity()
    assert changed == {"processes": 2, "precision": "bf16-mixed"}
    assert compute_in_words(changed) == "2 processes at precision bf16-mixed"
    assert compute_in_words({}) == "1 process at precision 32"


def test_one_run_a_gpu_and_else_one_a_core(cards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    cards(4)
    counts = [jobs_at_once(Compute(devices=n)) for n in (1, 2, 3)]
    assert counts == [4, 2, 1]
    assert jobs_at_once(Compute(device="cuda:1")) == 1
    assert [jobs_at_once(Compute(accelerator="cpu", devices=n)) for n in (1, 3, 9)] == [8, 2, 1]
