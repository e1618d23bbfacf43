"""Several values at once: what is told of each counts, what nobody told does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from affuse.errors import InputError
from affuse.metrics.scores import by_label, heading, higher_is_better, limits, score_outputs
from affuse.tasks import Regression, Task, Values

TASK = Values(("valence", "arousal"))
NAN = float("nan")


def test_the_loss_is_the_mean_error_of_what_is_told() -> None:
    said = torch.tensor([[0.5, 0.0], [0.5, 0.25], [0.0, -1.0]], requires_grad=True)
    target = torch.tensor([[0.25, -0.25], [0.0, NAN], [NAN, 1.0]])
    losses = TASK.losses(said, target)
    assert losses.tolist() == pytest.approx([0.25, 0.5, 2.0])
    losses.sum().backward()
    assert said.grad is not None
    # No gradient comes from what is not told, and none is nan.
    assert said.grad[1, 1] == said.grad[2, 0] == 0
    assert said.grad.isfinite().all()


def test_one_value_is_as_a_regression() -> None:
    single, value = Values(("valence",)), Regression(-1.0, 1.0)
    said, target = torch.randn(6, 1), torch.rand(6, 1)
    torch.testing.assert_close(single.losses(said, target), value.losses(said, target))
    found = score_outputs(single, said.numpy(), target.numpy(), ["ccc_valence", "mae_mean"])
    plain = score_outputs(value, said.numpy(), target.numpy(), ["ccc", "mae"])
    assert list(found.values()) == list(plain.values())


def test_metrics_go_by_the_samples_of_which_a_value_is_told() -> None:
    rng = np.random.default_rng(0)
    said, target = rng.uniform(-1, 1, (40, 2)), rng.uniform(-1, 1, (40, 2))
    partly = target.copy()
    partly[::4, 1] = NAN
    found = score_outputs(TASK, said, partly)
    assert tuple(found) == TASK.metrics
    kept = np.arange(40) % 4 > 0
    whole = score_outputs(TASK, said, target)
    rest = score_outputs(TASK, said[kept], target[kept])
    for base in ("ccc", "mae", "corr"):
        assert found[f"{base}_valence"] == whole[f"{base}_valence"]
        assert found[f"{base}_arousal"] == pytest.approx(rest[f"{base}_arousal"])
        each = found[f"{base}_valence"], found[f"{base}_arousal"]
        assert found[f"{base}_mean"] == pytest.approx(np.mean(each))


def test_a_value_that_nobody_told_has_no_score_and_no_part_in_the_mean() -> None:
    target = np.array([[0.5, NAN], [-0.5, NAN], [0.0, NAN]])
    found = score_outputs(TASK, np.array([[0.4, 1.0], [-0.2, 0.0], [0.1, 0.3]]), target)
    assert np.isnan(found["ccc_arousal"])
    assert found["ccc_mean"] == found["ccc_valence"] > 0.5


def test_the_trivial_answer_is_the_mean_of_what_is_told() -> None:
    targets = np.array([[0.5, NAN], [0.0, 0.25]])
    assert TASK.trivial(targets).tolist() == [0.25, 0.25]
    wide = Values(("a", "b"), 1.0, 9.0)
    assert wide.trivial(np.array([[2.0, NAN]])).tolist() == [2.0, 5.0]


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ([[0.0, 0.0], [NAN, NAN]], "label row 1 tells no finite value"),
        ([[0.0, 0.0], [float("inf"), 0.0]], "label row 1 tells no finite value"),
        ([[NAN, 0.0], [NAN, -1.5]], r"label 1 is -1.5, outside \[-1, 1\]"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets: list[list[float]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        TASK.check(np.array(targets), source="a corpus")
    TASK.check(np.array([[1.0, NAN], [NAN, -1.0]]), source="a corpus")


def test_values_are_clipped_to_the_range() -> None:
    assert TASK.decode(np.array([[1.5, -0.5]])).tolist() == [[1.0, -0.5]]


def test_it_is_written_and_read() -> None:
    assert Task.from_config(TASK.to_config()) == TASK
    assert Task.from_config({"kind": "values", "names": ["x"], "low": 1, "high": 9}) == Values(
        ("x",), 1, 9
    )


def test_metrics_have_headings_directions_and_limits() -> None:
    assert heading("ccc_mean") == "CCC, mean over values"
    assert heading("mae_arousal") == "MAE, arousal"
    assert [higher_is_better(m) for m in ("mae_valence", "ccc_valence")] == [False, True]
    assert limits("mae_mean") == (0.0, float("inf"))
    assert limits("corr_arousal") == limits("ccc") == (-1.0, 1.0)
    assert by_label(TASK.metrics) == {n: (f"ccc_{n}", f"mae_{n}") for n in TASK.names}


def test_an_unknown_metric_is_named() -> None:
    with pytest.raises(InputError, match="unknown metric 'ccc_dominance'"):
        score_outputs(TASK, np.zeros((2, 2)), np.ones((2, 2)), ["ccc_dominance"])
