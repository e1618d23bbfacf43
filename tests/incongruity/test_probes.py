"""Probes find what was planted, and their contributions add up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from affuse.incongruity.probes import Probe, Reading, fit_probe
from affuse.incongruity.tendency import tendency
from affuse.tasks import BinaryLabels, Classification, Continuous, Regression, Task, Values

STEPS, WIDTH = 12, 5
TASKS = [
    Regression(0.0, 100.0),
    Values(("p", "q"), 0.0, 100.0),
    Classification(("a", "b", "c")),
    BinaryLabels(("x", "y")),
]


def planted(task: Task, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sequences, masks, targets and the two steps of each that tell the target.

    Feature 0 marks those steps; 1 and 2 tell the target there and are noise elsewhere.
    """
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, STEPS, WIDTH, generator=g)
    length = torch.randint(6, STEPS + 1, (count,), generator=g)
    mask = torch.arange(STEPS) < length[:, None]
    first = (torch.rand(count, generator=g) * (length - 1)).long()
    steps = torch.arange(STEPS)
    telling = (steps == first[:, None]) | (steps == first[:, None] + 1)
    x[..., 0] = torch.where(telling, 4.0, 0.3 * x[..., 0])
    kind = torch.randint(0, 2, (count, 2), generator=g).float()
    if isinstance(task, Continuous):
        shape = count, task.outputs
        target = task.low + (task.high - task.low) * torch.rand(shape, generator=g)
        for k in range(task.outputs):
            signal = (target[:, k, None] - 50) / 20
            x[..., 1 + k] = torch.where(telling, signal + 0.1 * x[..., 1 + k], x[..., 1 + k])
        if isinstance(task, Values):
            # Of a third, one value is not told.
            target[::3, 1] = torch.nan
        return x, mask, target, telling
    for k in range(2):
        x[..., 1 + k] = torch.where(telling, 3 * kind[:, k, None] - 1.5, x[..., 1 + k])
    if isinstance(task, Classification):
        return x, mask, torch.where(kind[:, :1] > 0, kind[:, 1:] + 1, 0.0), telling
    return x, mask, kind, telling


@pytest.fixture(scope="module", params=TASKS, ids=lambda task: task.kind)
def found(request: pytest.FixtureRequest) -> tuple[Task, Probe, Reading, Tensor, Tensor, Tensor]:
    task = request.param
    x, mask, y, _ = planted(task, 300, 0)
    probe = fit_probe(task, x, mask, y, planted(task, 100, 1)[:3])
    x, mask, y, telling = planted(task, 200, 2)
    return task, probe, probe.read(x, mask), y, mask, telling


def test_tells_the_target(found) -> None:
    task, probe, reading, y, _, _ = found
    if isinstance(task, Continuous):
        assert np.nanmean(np.abs(reading.outputs - y.numpy())) < 5
    else:
        assert (tendency(task, reading.outputs) == y.numpy()).mean() > 0.95
    assert not probe.overfits


def test_listens_to_the_steps_that_tell(found) -> None:
    _, _, reading, _, mask, telling = found
    assert (reading.weights * telling.numpy()).sum(axis=1).mean() > 0.85
    assert not reading.weights[~mask.numpy()].any()
    total = reading.weights.sum(axis=1)
    assert (total < 1).all()
    assert total.mean() > 0.95


def test_contributions_add_up(found) -> None:
    _, probe, reading, _, _, _ = found
    total = reading.contributions.sum(axis=1) + probe.bias.numpy()
    np.testing.assert_allclose(total, reading.outputs, rtol=1e-4, atol=1e-3)


def test_salience_is_a_distribution_over_real_steps(found) -> None:
    task, _, reading, _, mask, telling = found
    salience = reading.salience(task, tendency(task, reading.outputs))
    np.testing.assert_allclose(salience.sum(axis=1), 1, atol=1e-6)
    assert not salience[~mask.numpy()].any()
    assert (salience * telling.numpy()).sum(axis=1).mean() > 0.8


def test_padding_changes_nothing(found) -> None:
    task, probe, reading, _, _, _ = found
    x, mask, _, _ = planted(task, 200, 2)
    wide = torch.cat([x, torch.full((200, 3, WIDTH), 9.0)], dim=1)
    again = probe.read(wide, torch.cat([mask, torch.zeros(200, 3, dtype=torch.bool)], dim=1))
    np.testing.assert_allclose(again.outputs, reading.outputs, rtol=1e-5, atol=1e-4)


def test_another_place_may_scale_and_shift_every_feature(found) -> None:
    task, probe, _, _, mask, _ = found
    x = planted(task, 200, 2)[0]
    moved = x * torch.tensor([3.0, 0.5, 2.0, 1.0, 7.0]) + 4
    here = probe.at(x, mask).read(x, mask)
    there = probe.at(moved, mask).read(moved, mask)
    np.testing.assert_allclose(there.outputs, here.outputs, rtol=1e-3, atol=1e-2)


def test_samples_that_say_the_opposite_do_not_bend_it() -> None:
    """A third of the samples carry the opposite of their label: the reading is what they carry."""
    task = Regression(-3.0, 3.0)

    def contrary(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        y = 6 * torch.rand(count, 1, generator=g) - 3
        opposite = torch.rand(count, 1, generator=g) < 0.33
        carried = torch.where(opposite, -y, y + torch.randn(count, 1, generator=g))
        x = torch.randn(count, 4, 3, generator=g)
        x[..., 0] = carried + 0.1 * x[..., 0]
        return x, torch.ones(count, 4, dtype=torch.bool), y

    x, mask, y = contrary(400, 0)
    probe = fit_probe(task, x, mask, y, contrary(100, 1))
    x, mask, _ = contrary(300, 2)
    read, carried = probe.read(x, mask).outputs[:, 0], x[..., 0].mean(dim=1)
    assert np.corrcoef(read, carried)[0, 1] > 0.99
    # The opposite third would pull a reading that must fit them towards the middle.
    assert np.polyfit(carried, read, 1)[0] > 0.7


def test_one_step_and_many_features_are_read_without_harm() -> None:
    task = Classification(("a", "b"))

    def wide(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        g = torch.Generator().manual_seed(seed)
        y = torch.randint(0, 2, (count, 1), generator=g).float()
        x = torch.randn(count, 1, 400, generator=g)
        x[:, 0, :20] += 0.6 * (2 * y - 1)
        return x, torch.ones(count, 1, dtype=torch.bool), y

    probe = fit_probe(task, *wide(300, 0), wide(100, 1))
    x, mask, y = wide(300, 2)
    said = tendency(task, probe.read(x, mask).outputs)
    assert (said == y.numpy()).mean() > 0.85


@pytest.mark.usefixtures("quick_probes")
def test_fitting_is_deterministic_and_leaves_the_global_state() -> None:
    x, mask, y, _ = planted(TASKS[0], 60, 0)
    state = torch.get_rng_state()
    first, again = (fit_probe(TASKS[0], x, mask, y, (x, mask, y), seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.value, again.value)
