"""Training: it learns, repeats itself, keeps what validation selected and stops in time."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.errors import InputError
from affuse.evaluation.held_out import run_model
from affuse.fusion import count_parameters, create_model
from affuse.metrics.scores import score_outputs
from affuse.readers import load_corpus
from affuse.samples import Corpus
from affuse.training.fit import STATE_FILE, FitResult, fit
from affuse.training.normalise import normalise
from affuse.training.presets import TrainOptions


@pytest.fixture
def run(corpus: Corpus, tmp_path: Path):
    """`run(model, seed=0, **training options)`."""

    def train(
        model: str = "hct_mg",
        *,
        corpus: Corpus = corpus,
        seed: int = 0,
        folder: Path | None = None,
        **settings: Any,
    ) -> FitResult:
        split, _ = normalise(corpus.folds[0], "train")
        small = {"width": 16, "heads": 2, **({"layers": 1} if model == "mult" else {})}
        build = partial(create_model, model, corpus.widths, corpus.task.outputs, small)
        options = TrainOptions(**{"epochs": 3, "batch_size": 16, **settings})
        return fit(
            build,
            corpus.task,
            split.train,
            split.valid,
            options,
            seed=seed,
            folder=folder or tmp_path / f"{model}-{len(list(tmp_path.iterdir()))}",
        )

    return train


def weights(result: FitResult) -> dict[str, torch.Tensor]:
    return result.model.state_dict()


def same(first: FitResult, second: FitResult) -> bool:
    pairs = zip(weights(first).values(), weights(second).values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("model", ["hct_mg", "mult", "concat"])
def test_training_lowers_the_loss(run, model: str) -> None:
    result = run(model, epochs=5, learning_rate=1e-2, warmup=0, average=0.8)
    losses = [record["train_loss"] for record in result.history]
    assert losses[-1] < 0.8 * losses[0]
    assert result.history[result.best_epoch]["valid_mae"] < result.history[0]["valid_mae"]


@pytest.mark.slow
def test_a_seed_repeats_itself_and_another_does_not(run) -> None:
    changes = {"noise": {"text": 0.1}, "shift": {"audio": 0.1}, "time_mask": {"vision": 0.1}}
    options = {"epochs": 2, **changes}
    first = run(seed=3, **options)
    # Nor does it matter what was drawn before.
    torch.rand(7)
    again, other = run(seed=3, **options), run(seed=4, **options)
    assert same(first, again)
    assert first.history == again.history
    assert not same(first, other)


@pytest.mark.parametrize("truth", ["text", "vision"])
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_model_is_the_one_that_validation_selected(run, truth: str, average: float) -> None:
    corpus = load_corpus(
        "controlled", options={"train": 32, "valid": 16, "test": 1, "truth": truth}
    )
    result = run(corpus=corpus, epochs=3, average=average, learning_rate=3e-3)
    split, _ = normalise(corpus.folds[0], "train")
    answers = run_model(result.model, split.valid)
    targets = np.stack([s.target for s in split.valid if s.target is not None])
    scores = score_outputs(corpus.task, answers.prediction, targets)
    record = result.history[result.best_epoch]
    assert {m: record[f"valid_{m}"] for m in scores} == pytest.approx(scores, abs=1e-5)
    gate = dict(zip(result.model.modalities, answers.gate.mean(axis=0), strict=True))
    assert {m: record[f"gate_{m}"] for m in gate} == pytest.approx(gate, abs=1e-5)
    ranked = [r["valid_mae"] + 0.05 * r["valid_loss"] for r in result.history]
    assert result.best_epoch == int(np.argmin(ranked))


def test_the_average_follows_the_steps_taken(run) -> None:
    # One step: the average of a first step keeps 2 / 11 of what was before it.
    options = {"epochs": 1, "batch_size": 40, "learning_rate": 0.01, "warmup": 0}
    before = run(average=0, **options | {"learning_rate": 1e-30, "weight_decay": 0})
    after, average = run(average=0, **options), run(average=0.98, **options)
    parameters = [dict(r.model.named_parameters()) for r in (before, after, average)]
    for name, kept in parameters[2].items():
        expected = parameters[0][name] * 2 / 11 + parameters[1][name] * 9 / 11
        torch.testing.assert_close(kept, expected)


def test_the_result_can_be_counted_and_trained_on(run) -> None:
    result = run(average=0.9, epochs=1)
    assert not result.model.training
    assert count_parameters(result.model) == sum(p.numel() for p in result.model.parameters())


def test_patience_ends_training(run) -> None:
    # Steps this large never help twice in a row.
    result = run("concat", epochs=30, patience=2, learning_rate=0.5, warmup=0, average=0)
    assert len(result.history) - 1 - result.best_epoch == 2
    assert len(result.history) < 30


def test_the_last_epoch_is_kept_where_that_is_asked_for(run) -> None:
    options = {"patience": 1, "learning_rate": 0.5, "warmup": 0, "average": 0}
    best = run("concat", epochs=5, **options)
    result = run("concat", epochs=5, select="last", **options)
    assert (len(result.history), result.best_epoch) == (5, 4)
    assert best.best_epoch < 4
    assert best.history == result.history[: len(best.history)]
    assert not same(best, result)


def test_one_sample_in_the_last_batch_and_fewer_than_a_batch(run) -> None:
    assert len(run("concat", batch_size=39, epochs=1).history) == 1
    assert len(run("concat", batch_size=500, epochs=1).history) == 1


def test_divergence_is_an_error_that_says_what_to_do(run) -> None:
    with pytest.raises(InputError, match="diverged: lower the learning rate"):
        run(learning_rate=1e30, warmup=0)


def _cut(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-5000])


def _other_tensor(state: Path) -> None:
    torch.save({"weights": torch.ones(2)}, state)


def _number(state: Path) -> None:
    torch.save(3, state)


def _text(state: Path) -> None:
    state.write_text("epoch 3")


def _empty(state: Path) -> None:
    state.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _other_tensor, _number, _text, _empty])
def test_damaged_state_is_an_error_that_names_the_file(run, tmp_path: Path, damage: Any) -> None:
    run("concat", folder=tmp_path / "run", epochs=1)
    state = tmp_path / "run" / STATE_FILE
    damage(state)
    before = state.read_bytes()
    with pytest.raises(InputError, match=r"last\.ckpt: .*; delete it to begin again") as caught:
        run("concat", folder=tmp_path / "run", epochs=1)
    assert str(state) in str(caught.value)
    assert state.read_bytes() == before


class _Executes:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_state_is_read_without_running_it(run, tmp_path: Path) -> None:
    run("concat", folder=tmp_path / "run", epochs=1)
    state = tmp_path / "run" / STATE_FILE
    content = torch.load(state, weights_only=True)
    torch.save({**content, "history": _Executes(tmp_path / "executed")}, state)
    with pytest.raises(InputError, match="training state cannot be read"):
        run("concat", folder=tmp_path / "run", epochs=1)
    assert not (tmp_path / "executed").exists()
    torch.load(state, weights_only=False)
    assert (tmp_path / "executed").exists()
