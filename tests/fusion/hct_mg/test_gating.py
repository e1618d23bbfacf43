"""The gates against weights worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from affuse.fusion.gating import (
    AgreementGate,
    ContributionGate,
    FixedGate,
    Gate,
    Heard,
    PaperDataGate,
    PaperGate,
    PaperScaleGate,
    last_step,
)

ALL = torch.ones(1, 3, dtype=torch.bool)
NO_ESTIMATE = torch.zeros(1, 3)


def _weights(gate: Gate, expected: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """What a gate that reads nothing but expected losses makes of them."""
    weights, louder = gate(Heard(torch.zeros(*expected.shape, 1), expected, ()), present)
    assert louder is None
    return weights


def test_contribution_is_a_softmax_of_relative_losses() -> None:
    gate = ContributionGate(3, "task", temperature=0.5)
    gate.track(torch.tensor([1.0, 2.0, 3.0]))
    # Mean loss 2, times the temperature 1: weights go as exp(-1), exp(-2), exp(-3).
    powers = [math.exp(-loss) for loss in (1, 2, 3)]
    expected = torch.tensor([[p / sum(powers) for p in powers]])
    torch.testing.assert_close(_weights(gate, NO_ESTIMATE, ALL), expected)
    # Only ratios count: the same losses in other units give the same weights.
    gate.track(torch.tensor([10.0, 20.0, 30.0]) * 2 - torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(_weights(gate, NO_ESTIMATE, ALL), expected)


def test_what_is_missing_has_no_weight_and_no_say() -> None:
    gate = ContributionGate(3, "task", temperature=0.5)
    gate.track(torch.tensor([1.0, 3.0, 100.0]))
    weights = _weights(gate, NO_ESTIMATE, torch.tensor([[True, True, False]]))
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
    weights = _weights(gate, torch.tensor([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]]), ALL.expand(2, 3))
    assert weights.argmax(dim=1).tolist() == [1, 0]


def test_a_batch_is_averaged_in_training_only() -> None:
    gate = ContributionGate(3, "batch", temperature=0.1)
    gate.track(torch.tensor([9.0, 9.0, 1.0]))
    estimate = torch.tensor([[3.0, 1.0, 2.0], [1.0, 1.5, 3.0]])
    weights = _weights(gate.train(), estimate, ALL.expand(2, 3))
    assert weights.argmax(dim=1).tolist() == [1, 1]
    # At inference neighbours would change an answer: what was tracked decides.
    assert _weights(gate.eval(), estimate, ALL.expand(2, 3)).argmax(dim=1).tolist() == [2, 2]


@pytest.mark.parametrize("granularity", ["task", "batch", "sample"])
def test_contribution_passes_no_gradient(granularity) -> None:
    estimate = torch.rand(2, 3, requires_grad=True)
    weights = _weights(ContributionGate(3, granularity, 1.0), estimate, ALL.expand(2, 3))
    assert not weights.requires_grad


@pytest.mark.parametrize("kind", [PaperGate, PaperScaleGate])
def test_the_papers_weights_start_equal_and_are_trained(kind) -> None:
    gate = kind(3)
    weights = _weights(gate, NO_ESTIMATE, ALL)
    torch.testing.assert_close(weights, torch.full((1, 3), 1 / 3))
    weights[0, 1].backward()
    torch.testing.assert_close(gate.weights.grad, torch.tensor([-1 / 9, 2 / 9, -1 / 9]))


def test_a_fixed_gate_prefers_its_modality_where_there_is_one() -> None:
    gate = FixedGate(3, primary=2)
    weights = _weights(gate, NO_ESTIMATE, ALL)[0].tolist()
    assert weights[2] > weights[0] == weights[1] > 0
    assert _weights(gate, NO_ESTIMATE, torch.tensor([[True, False, False]])).tolist() == [
        [1.0, 0.0, 0.0]
    ]


def test_the_papers_gate_learns_whose_loss_is_least() -> None:
    losses = torch.tensor([[1.0, 0.2, 0.6], [1.2, 0.4, 0.8]])
    gate = PaperGate(3)
    step = torch.optim.SGD(gate.parameters(), lr=1.0)
    for _ in range(50):
        step.zero_grad()
        taught = gate.loss(_weights(gate, losses, ALL.expand(2, 3)), losses)
        assert taught is not None
        taught.backward()
        step.step()
    weights = _weights(gate, losses, ALL.expand(2, 3))
    assert weights[0].argsort().tolist() == [0, 2, 1]
    assert weights[0, 1] > 0.9
    assert PaperScaleGate(3).loss(weights, losses) is None


def test_the_papers_data_gate_reads_last_steps_and_keeps_its_mean() -> None:
    torch.manual_seed(0)
    gate = PaperDataGate(2, 4)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    streams = [(torch.randn(2, 3, 4), mask), (torch.randn(2, 3, 4), mask)]
    heard = Heard(torch.zeros(2, 2, 1), None, streams)
    present = torch.ones(2, 2, dtype=torch.bool)
    trained, _ = gate.train()(heard, present)
    # One weight for the batch, of what networks say of the last real steps.
    means = [
        network(torch.stack([x[0, 1], x[1, 0]])).mean()
        for network, (x, _) in zip(gate.networks, streams, strict=True)
    ]
    expected = torch.stack(means) / torch.stack(means).sum()
    torch.testing.assert_close(trained, expected.expand(2, 2))
    losses = torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    taught = gate.loss(trained, losses)
    assert taught is not None
    assert taught.item() == pytest.approx(float((expected.detach() * losses[0]).sum()) ** (1 / 3))
    # Neighbours have no say at inference.
    first, _ = gate.eval()(
        Heard(torch.zeros(1, 2, 1), None, [(x[:1], m[:1]) for x, m in streams]), present[:1]
    )
    both, _ = gate(heard, present)
    torch.testing.assert_close(first, both[:1])


def test_the_last_step_is_the_last_real_one() -> None:
    steps = torch.arange(6.0).view(2, 3, 1)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert last_step(steps, mask).tolist() == [[1.0], [3.0]]


def test_agreement_begins_with_the_surest_and_learns_to_outvote_it() -> None:
    torch.manual_seed(0)
    gate = AgreementGate(values=True)
    count = 512
    truth = torch.randn(count, 1) * 1.5
    said = truth + 0.1 * torch.randn(count, 3)
    # The first looks surest, but in half of the samples says the opposite.
    against = torch.rand(count) < 0.5
    said[against, 0] *= -1
    error = torch.tensor([0.1, 0.2, 0.2]).expand(count, 3)
    heard, present = Heard(said[..., None], error, ()), ALL.expand(count, 3)
    weights, louder = gate(heard, present)
    torch.testing.assert_close(weights[0], torch.tensor([4.0, 1.0, 1.0]) / 6)
    torch.testing.assert_close(louder, torch.ones(count, 1))
    step = torch.optim.Adam(gate.parameters(), lr=0.01)
    for _ in range(150):
        weights, louder = gate(heard, present)
        loss = (louder[:, 0] * (weights * said).sum(dim=1) - truth[:, 0]).abs().mean()
        step.zero_grad()
        loss.backward()
        step.step()
    assert loss.item() < 0.15
    assert weights[against, 0].mean() < 0.2 < 0.3 < weights[~against, 0].mean()


def test_agreement_of_values_tells_the_opposite_from_another_value() -> None:
    """One says 1 beside -1, or beside 3: as far apart, and as strong by itself."""
    torch.manual_seed(0)
    gate = AgreementGate(values=True)
    torch.nn.init.normal_(gate.decide[-1].weight)
    said = torch.tensor([[1.0, -1.0, 0.0], [1.0, 3.0, 0.0]])[..., None]
    present = torch.tensor([[True, True, False]]).expand(2, 3)
    compared = []
    gate.compare.register_forward_hook(lambda _, given, __: compared.append(given[0]))
    gate(Heard(said, torch.full((2, 3), 0.5), ()), present)
    opposite, other = compared[0][:, 0, 1]
    torch.testing.assert_close(opposite[:5], other[:5])
    assert opposite[5:].tolist() == [0.0, 0.0]
    assert other[5:].tolist() == [4.0, 4.0]


@pytest.mark.parametrize(("outputs", "values"), [(1, True), (4, False), (2, True)])
def test_agreement_gives_what_is_missing_no_weight_and_no_say(outputs, values) -> None:
    torch.manual_seed(0)
    gate = AgreementGate(values)
    for parameter in gate.parameters():
        torch.nn.init.normal_(parameter)
    said, error = torch.randn(5, 3, outputs), torch.rand(5, 3) + 0.1
    present = torch.tensor([[True, True, False]]).expand(5, 3)
    weights, louder = gate(Heard(said, error, ()), present)
    assert weights[:, 2].tolist() == [0.0] * 5
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5))
    two, louder_two = gate(Heard(said[:, :2], error[:, :2], ()), present[:, :2])
    torch.testing.assert_close(weights[:, :2], two)
    torch.testing.assert_close(louder, louder_two)
