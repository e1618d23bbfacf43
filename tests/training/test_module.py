"""The losses, the trusted share, the weight average and the schedule, against worked numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from affuse.batches import Batch
from affuse.fusion import FusionOutput
from affuse.tasks import Classification, Regression, Task
from affuse.training.module import FusionModule
from affuse.training.presets import TrainOptions

SENTIMENT = Regression(-3.0, 3.0)
EMOTION = Classification(("sad", "calm", "glad"))


def batch(targets: list[list[float]], absent: bool = False) -> Batch:
    """A step of each modality a sample; with `absent`, the last sample lacks audio."""
    count = len(targets)
    masks = {m: torch.ones(count, 1, dtype=torch.bool) for m in ("text", "audio")}
    masks["audio"][-1] = not absent
    sequences = {m: torch.ones(count, 1, 2) for m in masks}
    return Batch(sequences, masks, torch.tensor(targets), tuple(map(str, range(count))))


def output(prediction: list[list[float]], **parts: Any) -> FusionOutput:
    count = len(prediction)
    tensors = {name: torch.tensor(value) for name, value in parts.items()}
    gate = tensors.pop("gate", torch.full((count, 2), 0.5))
    primary = tensors.pop("primary", torch.zeros(count, dtype=torch.long))
    return FusionOutput(torch.tensor(prediction), gate, primary, **tensors)


@pytest.fixture
def module(told):
    def make(answer: FusionOutput, task: Task = SENTIMENT, **options: Any) -> FusionModule:
        model = told({"text": 2, "audio": 2}, task.outputs, answer)
        return FusionModule(model, task, TrainOptions(average=0, **options), 1, seed=0)

    return make


def test_auxiliary_and_expected_losses(module) -> None:
    answer = output(
        [[1.0], [2.0]],
        # Losses of text are 1 and 2; of audio 3, and 1 where it is absent and must not count.
        unimodal=[[[1.0], [3.0]], [[2.0], [-1.0]]],
        expected_loss=[[1.5, 3.0], [2.0, 9.0]],
    )
    trained = module(answer, auxiliary=0.5, reliability=0.2)
    loss = trained.training_step(batch([[0.0], [0.0]], absent=True), 0)
    fused, auxiliary, reliability = (1 + 2) / 2, (1 + 2) / 2 + 3 / 1, 0.5 / 3
    assert float(loss) == pytest.approx(fused + 0.5 * auxiliary + 0.2 * reliability)


def test_what_a_modality_alone_should_say_is_its_own_answers_target(module) -> None:
    answer = output(
        [[1.0], [2.0]],
        unimodal=[[[1.0], [3.0]], [[2.0], [-1.0]]],
        expected_loss=[[1.5, 3.0], [2.0, 9.0]],
    )
    # Audio should say 2, and nobody told of the second sample: there it is what all should say, 0.
    told = replace(batch([[0.0], [0.0]]), unimodal={"audio": torch.tensor([[2.0], [math.nan]])})
    loss = module(answer, auxiliary=0.5, reliability=0.2).training_step(told, 0)
    fused, auxiliary = (1 + 2) / 2, (1 + 2) / 2 + (1 + 1) / 2
    # How much is expected to be lost is by what all together should say.
    reliability = (0.5 + 8) / 4
    assert float(loss) == pytest.approx(fused + 0.5 * auxiliary + 0.2 * reliability)


def test_a_model_without_expected_losses_has_the_task_loss_alone(module) -> None:
    answer = output([[1.0], [2.0]], unimodal=[[[1.0], [3.0]], [[2.0], [-1.0]]])
    assert float(module(answer).training_step(batch([[0.0], [0.0]]), 0)) == pytest.approx(1.5)


def test_a_models_own_loss_is_added(module) -> None:
    answer = output([[1.0], [2.0]], regulariser=0.25)
    assert float(module(answer).training_step(batch([[0.0], [0.0]]), 0)) == pytest.approx(1.75)


def test_label_smoothing_is_for_training_alone(module) -> None:
    shares = [0.7, 0.2, 0.1]
    answer = output([[math.log(p) for p in shares]])
    trained = module(answer, EMOTION, label_smoothing=0.3)
    # Of the target, 0.7 stays with its class and 0.3 is spread over all three.
    smoothed = -0.7 * math.log(0.7) - 0.1 * sum(map(math.log, shares))
    assert float(trained.training_step(batch([[0.0]]), 0)) == pytest.approx(smoothed)
    trained.validation_step(batch([[0.0]]), 0)
    trained.on_validation_epoch_end()
    assert trained.history[0]["valid_loss"] == pytest.approx(-math.log(0.7))


def test_what_is_rare_need_not_be_learnt_where_classes_are_balanced(module) -> None:
    targets = np.array([[0], [0], [0], [1]], np.float32)
    model = module(output([[0.0, 0.0, 0.0]]), EMOTION).model
    options = TrainOptions(average=0, balance=0.5)
    trained = FusionModule(model, EMOTION, options, 1, seed=0, targets=targets)
    # Shares are 3/4, 1/4 and, of a class that does not occur, 1/4: as if it did once.
    weights = [(3 / 4) ** 0.5, (1 / 4) ** 0.5, (1 / 4) ** 0.5]
    loss = trained.training_step(batch([[1.0]]), 0)
    assert float(loss) == pytest.approx(-math.log(weights[1] / sum(weights)))


@pytest.mark.parametrize(
    ("targets", "share", "loss"),
    [
        ([1.0, 1.0], 0.5, 0.0),  # |1 - 2s| is least at one half
        ([0.5, 0.5], 0.25, 0.0),
        ([-1.0, -1.0], 0.0, 1.0),  # the correction only harms
        ([3.0, 2.5], 1.0, 0.75),  # all of it, and more would help
        ([3.0, -2.0], 0.0, 2.5),  # helps one as much as it harms the other: no evidence for it
        ([1.0, 2.0], 1.0, 0.5),  # |1 - 2s| + |2 - 2s| is 1 from one half on: the most is trusted
    ],
)
def test_validation_chooses_how_much_of_the_correction_is_trusted(
    module, targets: list[float], share: float, loss: float
) -> None:
    answer = output(
        [[2.0], [2.0]],
        unimodal=[[[0.0], [7.0]], [[7.0], [0.0]]],
        primary=[0, 1],
        correction=[[2.0], [2.0]],
    )
    trained = module(answer)
    trained.validation_step(batch([[t] for t in targets]), 0)
    trained.on_validation_epoch_end()
    assert trained.model.shares == [pytest.approx(share)]
    assert trained.history[0]["valid_mae"] == pytest.approx(loss, abs=1e-6)


def test_validation_records_metrics_and_the_mean_gate(module) -> None:
    answer = output([[1.0], [-1.0]], gate=[[0.9, 0.1], [0.5, 0.5]])
    trained = module(answer)
    for _ in range(2):
        trained.validation_step(batch([[2.0], [-1.0]]), 0)
    trained.on_validation_epoch_end()
    record = trained.history[0]
    assert record["valid_mae"] == record["valid_loss"] == pytest.approx(0.5)
    assert (record["gate_text"], record["gate_audio"]) == pytest.approx((0.7, 0.3))
    assert record["epoch"] == 0


def test_the_best_epoch_has_the_lowest_error_and_is_the_first_of_equals(module) -> None:
    trained = module(output([[1.0]]))
    found = []
    for target in (3.0, 2.0, 2.0, 2.5):
        trained.validation_step(batch([[target]]), 0)
        trained.on_validation_epoch_end()
        found.append(trained.best)
    assert [best.score for best in found] == pytest.approx([2.1, 1.05, 1.05, 1.05])
    assert found[1] is found[2] is found[3]


def test_finished_counts_epochs_since_the_best(module) -> None:
    trained = module(output([[1.0]]), patience=2)
    assert not trained.finished
    for number, target in enumerate((2.0, 3.0, 3.0)):
        assert not trained.finished, number
        trained.validation_step(batch([[target]]), 0)
        trained.on_validation_epoch_end()
    assert trained.finished


def test_accuracy_selects_a_classifier_and_its_loss_breaks_ties(module) -> None:
    scores = []
    for logits in ([0.0, 3.0, 0.0], [2.0, 0.0, 0.0], [4.0, 0.0, 0.0]):
        trained = module(output([logits]), EMOTION)
        trained.validation_step(batch([[0.0]]), 0)
        trained.on_validation_epoch_end()
        assert trained.best is not None
        scores.append(trained.best.score)
    assert scores[0] > scores[1] > scores[2]
    assert scores[1] == pytest.approx(-1 + 0.05 * math.log(1 + 2 * math.exp(-2)))


def test_the_average_nears_the_weights_and_takes_over_what_is_counted(told) -> None:
    model = told({"text": 2}, 1, output([[1.0]]))
    model.weight = torch.nn.Parameter(torch.zeros(1))
    model.register_buffer("seen", torch.zeros(1))
    trained = FusionModule(model, SENTIMENT, TrainOptions(average=0.98), 1, seed=0)
    with torch.no_grad():
        model.weight.fill_(1.0)
        model.seen.fill_(7.0)
    trained.on_train_batch_end()
    assert trained.kept is trained.average
    assert float(trained.average.weight) == pytest.approx(0.9)  # before any step, 1 in 10 is kept
    assert float(trained.average.seen) == 7.0
    assert not trained.average.weight.requires_grad


def test_the_learning_rate_rises_then_falls_to_zero(module) -> None:
    trained = module(output([[1.0]]), epochs=10, warmup=2, learning_rate=0.5)
    trained.steps_per_epoch = 4
    trained.model.weight = torch.nn.Parameter(torch.zeros(1))
    made = trained.configure_optimizers()
    (rate,) = made["lr_scheduler"]["scheduler"].lr_lambdas
    half_cosine = [0.5 * (1 + math.cos(math.pi * step / 40)) for step in (0, 7, 20, 40)]
    expected = [half_cosine[0] / 8, half_cosine[1], half_cosine[2], 0.0]
    assert [rate(step) for step in (0, 7, 20, 40)] == pytest.approx(expected)
    assert made["lr_scheduler"]["interval"] == "step"
    assert made["optimizer"].defaults["lr"] == 0.5
