"""Tests of the order in which modalities enter."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from affuse.fusion.ranking import FusionStream, SampleRanking, SharedRanking, ranking_of

LENGTHS = (3, 5, 2)


@pytest.fixture
def streams() -> list[FusionStream]:
    torch.manual_seed(0)
    return [
        FusionStream(torch.randn(4, steps, 8), torch.ones(4, steps, dtype=torch.bool))
        for steps in LENGTHS
    ]


def _used() -> Tensor:
    return torch.ones(4, 3, dtype=torch.bool)


def test_one_gate_for_all_is_one_order_and_no_stream_is_padded(streams: list[FusionStream]) -> None:
    found = ranking_of(torch.tensor([[0.2, 0.3, 0.5]]).expand(4, 3), _used())
    assert isinstance(found, SharedRanking)
    assert [stream.steps.shape[1] for stream in found.ranked(streams)] == [2, 5, 3]


def test_what_is_not_used_comes_last_and_makes_orders_differ() -> None:
    used = _used()
    used[1, 2] = False
    found = ranking_of(torch.tensor([[0.2, 0.3, 0.5]]).expand(4, 3), used)
    assert isinstance(found, SampleRanking)
    assert found.order.tolist() == [[2, 1, 0], [1, 0, 2], [2, 1, 0], [2, 1, 0]]


def test_both_rank_replace_and_choose_alike(streams: list[FusionStream]) -> None:
    order = torch.tensor([[1, 2, 0]]).expand(4, 3)
    shared, each = SharedRanking(order), SampleRanking(order)
    for one, other in zip(shared.ranked(streams), each.ranked(streams), strict=True):
        steps = one.steps.shape[1]
        assert torch.equal(one.steps, other.steps[:, :steps])
        assert torch.equal(one.mask, other.mask[:, :steps])
        assert not other.mask[:, steps:].any()
    values = torch.randn(4, 3, 2)
    assert torch.equal(shared.primary(values), each.primary(values))
    lead = torch.randn(4, 5, 8)
    for one, other in zip(
        shared.replaced(streams, lead), each.replaced(streams, lead), strict=True
    ):
        assert torch.equal(one, other)


def test_each_sample_has_its_own_primary_replaced(streams: list[FusionStream]) -> None:
    order = torch.tensor([[0, 1, 2], [1, 0, 2], [2, 0, 1], [1, 2, 0]])
    lead = torch.zeros(4, 5, 8)
    replaced = SampleRanking(order).replaced(streams, lead)
    for modality, (before, after) in enumerate(zip(streams, replaced, strict=True)):
        leads = order[:, 0] == modality
        assert not after[leads].any()
        assert torch.equal(after[~leads], before.steps[~leads])
