"""The gates against weights worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from affuse.fusion.gating import ContributionGate, FixedGate, PaperGate

ALL = torch.ones(1, 3, dtype=torch.bool)
NO_ESTIMATE = torch.zeros(1, 3)


def test_contribution_is_a_softmax_of_relative_losses() -> None:
    gate = ContributionGate(3, "task", temperature=0.5)
    gate.track(torch.tensor([1.0, 2.0, 3.0]))
    # Mean loss 2, times the temperature 1: weights go as exp(-1), exp(-2), exp(-3).
    powers = [math.exp(-loss) for loss in (1, 2, 3)]
    expected = torch.tensor([[p / sum(powers) for p in powers]])
    torch.testing.assert_close(gate(NO_ESTIMATE, ALL), expected)
    # Only ratios count: the same losses in other units give the same weights.
    gate.track(torch.tensor([10.0, 20.0, 30.0]) * 2 - torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(gate(NO_ESTIMATE, ALL), expected)


def test_what_is_missing_has_no_weight_and_no_say() -> None:
    gate = ContributionGate(3, "task", temperature=0.5)
    gate.track(torch.tensor([1.0, 3.0, 100.0]))
    weights = gate(NO_ESTIMATE, torch.tensor([[True, True, False]]))
    # Mean loss of the two is 2: weights go as exp(-1) and exp(-3).
    high = 1 / (1 + math.exp(-2))
    torch.testing.assert_close(weights, torch.tensor([[high, 1 - high, 0.0]]))


def test_tracked_losses_move_by_half_and_skip_what_was_not_measured() -> None:
    gate = ContributionGate(3, "task", temperature=1.0)
    gate.track(torch.tensor([4.0, 2.0, 2.0]))
    assert gate.tracked.tolist() == [4.0, 2.0, 2.0]
    gate.track(torch.tensor([2.0, math.nan, 4.0]))
    assert gate.tracked.tolist() == [3.0, 2.0, 3.0]


def test_each_sample_by_its_own_estimate() -> None:
    gate = ContributionGate(3, "sample", temperature=0.1).eval()
    gate.track(torch.tensor([1.0, 9.0, 9.0]))
    weights = gate(torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]]), ALL.expand(2, 3))
    assert weights.argmax(dim=1).tolist() == [1, 0]


def test_a_batch_is_averaged_in_training_only() -> None:
    gate = ContributionGate(3, "batch", temperature=0.1)
    gate.track(torch.tensor([9.0, 9.0, 1.0]))
    estimate = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.5, 3.0]])
    weights = gate.train()(estimate, ALL.expand(2, 3))
    assert weights.argmax(dim=1).tolist() == [1, 1]
    # At inference neighbours would change an answer: what was tracked decides.
    assert gate.eval()(estimate, ALL.expand(2, 3)).argmax(dim=1).tolist() == [2, 2]


@pytest.mark.parametrize("granularity", ["task", "batch", "sample"])
def test_contribution_passes_no_gradient(granularity) -> None:
    estimate = torch.rand(2, 3, requires_grad=True)
    weights = ContributionGate(3, granularity, 1.0)(estimate, ALL.expand(2, 3))
    assert not weights.requires_grad


def test_the_papers_gate_starts_equal_and_is_trained() -> None:
    gate = PaperGate(3)
    weights = gate(NO_ESTIMATE, ALL)
    torch.testing.assert_close(weights, torch.full((1, 3), 1 / 3))
    weights[0, 1].backward()
    torch.testing.assert_close(gate.weights.grad, torch.tensor([-1 / 9, 2 / 9, -1 / 9]))


def test_a_fixed_gate_prefers_its_modality_where_there_is_one() -> None:
    gate = FixedGate(3, primary=2)
    weights = gate(NO_ESTIMATE, ALL)[0].tolist()
    assert weights[2] > weights[0] == weights[1] > 0
    assert gate(NO_ESTIMATE, torch.tensor([[True, False, False]])).tolist() == [[1.0, 0.0, 0.0]]
