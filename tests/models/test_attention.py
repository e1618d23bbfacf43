"""Attention in pieces is torch's own, in value, gradient and random numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from affuse.models import attention


def _inputs(steps: int) -> list[Tensor]:
    torch.manual_seed(0)
    q, k, v = (torch.randn(5, 2, steps + extra, 4, requires_grad=True) for extra in (1, 3, 3))
    return [q, k, v]


def _results(attend, inputs: list[Tensor], allowed: Tensor, rate: float) -> list[Tensor]:
    torch.manual_seed(7)
    out = attend(*inputs, allowed, rate)
    after = torch.rand(3)
    return [out, after, *torch.autograd.grad(out.sin().sum(), inputs)]


@pytest.mark.parametrize("rate", [0.0, 0.4])
@pytest.mark.parametrize("rows", ["all", "each"])
def test_pieces_equal_the_whole(monkeypatch: pytest.MonkeyPatch, rate: float, rows: str) -> None:
    inputs = _inputs(steps=9)
    allowed = torch.rand(5, 1, 10 if rows == "each" else 1, 12) < 0.5
    allowed[..., 0] = True
    expected = _results(scaled_dot_product_attention, inputs, allowed, rate)
    monkeypatch.setattr(attention, "_FEW", 0)
    for most in (1, 500, 10**6):
        monkeypatch.setattr(attention, "_MOST", most)
        found = _results(attention.attend, inputs, allowed, rate)
        for wanted, made in zip(expected, found, strict=True):
            torch.testing.assert_close(made, wanted)


def test_weights_are_not_kept_for_the_way_back() -> None:
    inputs, kept = _inputs(steps=600), []

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        attention.attend(*inputs, torch.ones(5, 1, 1, 603, dtype=torch.bool), 0.3)
    assert sum(kept) < 5 * 2 * 601 * 603
