"""Samples that lack what a model reads: it learns from the others, and a constant answers them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import affuse
from affuse.errors import InputError
from affuse.evaluation.held_out import NONE_LEADS, hide, open_test, run_checkpoint
from affuse.evaluation.scorecard import evaluate_checkpoint, trivial_of
from affuse.incongruity.explanation import explain
from affuse.samples import Corpus, Sample, Split
from affuse.tasks import Regression
from affuse.training.answerable import coverage, coverage_in_words, learnable, unlearnable
from affuse.training.checkpoint import Checkpoint, load_checkpoint
from affuse.training.presets import plan
from affuse.training.session import train_run

WIDTHS = {"text": 3, "audio": 2}
QUICK = {"epochs": 1, "width": 8, "heads": 2}


def _part(name: str, count: int, without: dict[int, tuple[str, ...]]) -> list[Sample]:
    rng = np.random.default_rng(len(name) + count)
    samples = []
    for row in range(count):
        kept = {m: d for m, d in WIDTHS.items() if m not in without.get(row, ())}
        sequences = {m: rng.normal(size=(4, d)).astype(np.float32) for m, d in kept.items()}
        target = rng.uniform(-3, 3, 1).astype(np.float32)
        samples.append(Sample(f"{name}{row}", sequences, target))
    return samples


def _corpus(**without: dict[int, tuple[str, ...]]) -> Corpus:
    sizes = {"train": 12, "valid": 6, "test": 7}
    parts = {name: _part(name, count, without.get(name, {})) for name, count in sizes.items()}
    return Corpus("lacking", Regression(), WIDTHS, (Split(**parts),))


def _train(corpus: Corpus, model: str, folder: Path) -> Checkpoint:
    return train_run(corpus, plan(corpus, model, QUICK), seed=0, folder=folder)


LACKING = {p: {0: ("audio",), 3: ("audio", "text")} for p in ("train", "valid", "test")}


@pytest.mark.parametrize(("model", "count"), [("unimodal:audio", 2), ("concat", 1)])
def test_the_trivial_answer_stands_where_nothing_can_be_read(
    tmp_path: Path, model: str, count: int
) -> None:
    corpus = _corpus(**LACKING)
    test = corpus.folds[0].test
    trained = _train(corpus, model, tmp_path / "run")
    for checkpoint in (trained, load_checkpoint(tmp_path / "run")):
        said = run_checkpoint(checkpoint, checkpoint.prepare(test))
        constant = np.mean([s.target for s in corpus.folds[0].train])
        assert said.prediction[3, 0] == pytest.approx(constant)
        assert (said.prediction[0, 0] == pytest.approx(constant)) == (count == 2)
        assert (said.primary == NONE_LEADS).sum() == count
        assert len(set(said.prediction[:, 0].tolist())) == 8 - count
        found = evaluate_checkpoint(checkpoint, corpus)
        assert found.trivially_answered == found.to_dict()["trivially_answered"] == count


def test_a_gated_model_leads_only_what_it_reads(tmp_path: Path) -> None:
    corpus = _corpus(**LACKING)
    checkpoint = _train(corpus, "hct_mg", tmp_path / "run")
    record = open_test(checkpoint, corpus.folds[0].test, subsets=True)
    assert sum(record["led"].values()) == 6
    assert sum(record["gate"].values()) == pytest.approx(1)


def test_a_test_part_of_nothing_gets_the_trivial_scores(tmp_path: Path) -> None:
    corpus = _corpus(test=dict.fromkeys(range(7), ("audio",)))
    checkpoint = _train(corpus, "unimodal:audio", tmp_path / "run")
    found = evaluate_checkpoint(checkpoint, corpus)
    trivial = trivial_of(corpus.task, corpus.folds[0])
    assert trivial is not None
    assert found.metrics == pytest.approx(trivial.metrics, nan_ok=True)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_what_cannot_be_learnt_is_refused_before_anything_trains(tmp_path: Path, part: str) -> None:
    corpus = _corpus(**{part: dict.fromkeys(range(12), ("audio",))})
    assert unlearnable(corpus) == {"audio": part}
    with pytest.raises(InputError, match=f"no sample of the part '{part}' has audio"):
        _train(corpus, "unimodal:audio", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_older_checkpoint_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    corpus = _corpus(**LACKING)
    checkpoint = _train(corpus, "unimodal:audio", tmp_path / "run")
    old = Checkpoint(checkpoint.name, checkpoint.model, checkpoint.task, checkpoint.normaliser)
    with pytest.raises(InputError, match=r"sample 'test[03]' \(number [03] of the test part\) has"):
        open_test(old, corpus.folds[0].test, subsets=False)


def test_hidden_samples_keep_their_order_and_their_lack() -> None:
    corpus = _corpus(**LACKING)
    hidden = hide(corpus.folds[0].test)
    assert sum("audio" not in s.sequences for s in hidden) == 2


def test_what_all_samples_have_is_left_as_it_is() -> None:
    corpus = _corpus()
    assert learnable(corpus.folds[0], ("audio",)) is corpus.folds[0]
    assert coverage_in_words("audio", ("audio",), coverage(corpus, ("audio",))) == ""


def test_modalities_that_no_sample_shares(tmp_path: Path) -> None:
    parts = {name: {row: ("audio", "text")[row % 2 :][:1] for row in range(12)} for name in LACKING}
    corpus = _corpus(**parts)
    for model in ("unimodal:text", "unimodal:audio", "concat"):
        found = evaluate_checkpoint(_train(corpus, model, tmp_path / model[-5:]), corpus)
        assert found.trivially_answered == {"unimodal:text": 3, "unimodal:audio": 4}.get(model, 0)


def test_coverage_is_told_in_words() -> None:
    corpus = _corpus(**LACKING)
    counts = coverage(corpus, ("audio",))
    assert counts == {"train": [10, 12], "valid": [4, 6], "test": [5, 7]}
    assert coverage_in_words("audio", ("audio",), counts) == (
        "audio learns from 10 of 12 train, is validated on 4 of 6 valid and answers 5 of 7 test "
        "samples, those with audio; the trivial answer stands for the other test samples"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("quick_probes")
def test_an_explanation_is_of_what_all_its_models_read(tmp_path: Path) -> None:
    corpus = _corpus(**LACKING)
    fused = _train(corpus, "concat", tmp_path / "fused")
    alone = _train(corpus, "unimodal:audio", tmp_path / "alone")
    assert explain(fused, corpus).samples == 6
    found = explain(fused, corpus, against=alone)
    assert found.samples == len(found.conflicts) == 5


@pytest.mark.slow
def test_a_search_trains_on_what_a_model_reads(tmp_path: Path) -> None:
    corpus = _corpus(train={0: ("audio",)}, valid={0: ("audio",)})
    found = affuse.tune(
        *(corpus, "unimodal:audio"),
        trials=1,
        out=tmp_path / "found.yaml",
        progress=False,
        settings=QUICK,
    )
    assert len(found.models[0].ranked) == 1
    bare = _corpus(valid=dict.fromkeys(range(6), ("audio",)))
    with pytest.raises(InputError, match="no sample of the part 'valid' has audio"):
        affuse.tune(bare, "unimodal:audio", trials=1, progress=False, settings=QUICK)
