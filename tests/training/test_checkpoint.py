"""A checkpoint gives back what was trained, and refuses what it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from affuse.errors import InputError
from affuse.evaluation.held_out import run_model
from affuse.fusion import create_model, models
from affuse.samples import Corpus
from affuse.tasks import BinaryLabels, Classification, Regression, Values
from affuse.training.checkpoint import CONFIG, WEIGHTS, Checkpoint, load_checkpoint
from affuse.training.normalise import Normaliser, normalise_by_group


@pytest.fixture
def made(corpus: Corpus):
    """`made(model)`: a checkpoint with random weights."""

    def make(name: str = "hct_mg", normalise: str = "train") -> Checkpoint:
        torch.manual_seed(0)
        known = models()[name.partition(":")[0]].cls.Options.model_fields
        small = {k: v for k, v in {"width": 16, "heads": 2}.items() if k in known}
        model = create_model(name, corpus.widths, 1, small)
        fitted = None if normalise == "none" else Normaliser.fit(corpus.folds[0].train)
        about = {"name": "controlled", "fold": 2, "options": {"train": 40}}
        training = {"options": {"normalise": normalise}, "history": [{"f1": float("nan")}]}
        return Checkpoint(name, model.eval(), corpus.task, fitted, about, training)

    return make


@pytest.fixture
def saved(made, tmp_path: Path) -> Path:
    made().save(tmp_path / "run")
    return tmp_path / "run"


def test_samples_keep_the_order_of_their_modalities(made, corpus: Corpus) -> None:
    fitted = made().normaliser
    for order in (1, -1):
        means, scales = (dict([*x.items()][::order]) for x in (fitted.means, fitted.scales))
        checkpoint = replace(made(), normaliser=replace(fitted, means=means, scales=scales))
        prepared = checkpoint.prepare(corpus.folds[0].test)
        assert {s.modalities for s in prepared} == {corpus.modalities}


@pytest.mark.parametrize("name", [*models(), "unimodal:audio"])
def test_round_trip(made, corpus: Corpus, tmp_path: Path, name: str) -> None:
    before = made(name)
    before.model.track(torch.tensor([0.5, 0.1, 0.2]))
    before.model.trust(0.35)
    before.save(tmp_path / "new" / "run")
    after = load_checkpoint(tmp_path / "new" / "run")
    assert (after.name, after.task, after.corpus) == (name, before.task, before.corpus)
    assert after.training["options"] == before.training["options"]
    assert np.isnan(after.training["history"][0]["f1"])
    assert not after.model.training
    for key, value in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[key], value)
    test = corpus.folds[0].test
    ours, theirs = (run_model(c.model, c.prepare(test)) for c in (before, after))
    np.testing.assert_array_equal(ours.prediction, theirs.prediction)
    np.testing.assert_array_equal(ours.gate, theirs.gate)


@pytest.mark.parametrize(
    "task",
    [
        *(Regression(-1.0, 1.0), Values(("valence", "arousal"), 1.0, 9.0)),
        *(Classification(("a", "b")), BinaryLabels(("x", "y"))),
    ],
)
def test_every_task_survives(tmp_path: Path, task: Any) -> None:
    model = create_model("concat", {"text": 3, "audio": 2}, task.outputs)
    Checkpoint("concat", model, task, None).save(tmp_path)
    assert load_checkpoint(tmp_path).task == task


def test_samples_are_prepared_as_in_training(made, corpus: Corpus) -> None:
    first = corpus.folds[0].test[0]
    extra = first.with_sequences({**first.sequences, "eeg": np.ones((2, 2), np.float32)})
    fitted = made().normaliser
    (ready,) = made().prepare([extra])
    np.testing.assert_array_equal(ready.sequences["text"], fitted.apply(first).sequences["text"])
    assert "eeg" not in ready.sequences
    assert made(normalise="none").prepare([first]) == [first]


def test_speakers_are_normalised_first_where_training_did(made, corpus: Corpus) -> None:
    samples = [replace(s, group=str(i % 2)) for i, s in enumerate(corpus.folds[0].test)]
    checkpoint = made(normalise="speaker")
    expected = checkpoint.normaliser.apply_all(normalise_by_group(samples))
    for ours, theirs in zip(checkpoint.prepare(samples), expected, strict=True):
        np.testing.assert_array_equal(ours.sequences["audio"], theirs.sequences["audio"])


def _refuse(folder: Path, file: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load_checkpoint(folder)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    _refuse(tmp_path / "absent", tmp_path / "absent", "no checkpoint here; give a folder")
    _refuse(tmp_path, tmp_path, "no checkpoint here")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"format": 1}', b"[" * 100_000]
)
def test_a_damaged_config_is_refused(saved: Path, content: bytes) -> None:
    (saved / CONFIG).write_bytes(content)
    _refuse(saved, saved / CONFIG, "not a checkpoint's config")


FIELDS = ("format", "model", "options", "widths", "task", "normalised", "corpus", "training")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [None, 7, "x", [], [1], {"x": "y"}, -1.5])
def test_a_config_with_a_wrong_entry_is_refused(saved: Path, field: str, value: Any) -> None:
    config = json.loads((saved / CONFIG).read_text())
    (saved / CONFIG).write_text(json.dumps({**config, field: value}))
    if field in ("corpus", "training") and isinstance(value, dict):
        load_checkpoint(saved)  # notes that nothing depends on
        return
    _refuse(saved, saved / CONFIG, ";")


@pytest.mark.parametrize("field", FIELDS)
def test_a_config_that_lacks_an_entry_is_refused(saved: Path, field: str) -> None:
    config = json.loads((saved / CONFIG).read_text())
    del config[field]
    (saved / CONFIG).write_text(json.dumps(config))
    _refuse(saved, saved / CONFIG, f"entry '{field}': field required")


@pytest.mark.parametrize(
    "cut", [slice(0), slice(4), slice(100), slice(-1), slice(-5000), slice(8, None)]
)
def test_damaged_weights_are_refused(saved: Path, cut: slice) -> None:
    weights = saved / WEIGHTS
    weights.write_bytes(weights.read_bytes()[cut])
    _refuse(saved, weights, "weights cannot be read .*; train again or copy")


def test_weights_of_another_model_are_refused(saved: Path, made, tmp_path: Path) -> None:
    made("concat").save(tmp_path / "other")
    (saved / WEIGHTS).write_bytes((tmp_path / "other" / WEIGHTS).read_bytes())
    _refuse(saved, saved / WEIGHTS, "weights do not fit the config")


@pytest.mark.parametrize("name", ["normaliser.text.mean", "model.trusted"])
def test_missing_tensors_are_refused(saved: Path, name: str) -> None:
    tensors = safetensors.torch.load_file(saved / WEIGHTS)
    del tensors[name]
    safetensors.torch.save_file(tensors, saved / WEIGHTS)
    _refuse(saved, saved / WEIGHTS, "weights do not fit the config")


def test_only_config_that_is_whole_counts(made, tmp_path: Path) -> None:
    made().save(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    _refuse(tmp_path, tmp_path / WEIGHTS, "weights cannot be read")


def test_another_corpus_is_refused_with_what_differs(made, corpus: Corpus) -> None:
    checkpoint, source = made(), Path("run")
    checkpoint.check_corpus(corpus, source)
    wider = replace(corpus, folds=(), widths={**corpus.widths, "audio": 99})
    with pytest.raises(InputError, match=r"run: .* reads audio of width 12, .* has 99"):
        checkpoint.check_corpus(wider, source)
    with pytest.raises(InputError, match=r"reads text, audio, vision, .* has none"):
        checkpoint.check_corpus(replace(corpus, folds=(), widths={"eeg": 3}), source)
    other = replace(corpus, folds=(), task=Classification(("sad", "glad")))
    with pytest.raises(InputError, match=r"checkpoint predicts .* use a corpus with the task"):
        checkpoint.check_corpus(other, source)


def test_a_corpus_with_fewer_modalities_will_do(made, corpus: Corpus) -> None:
    text = replace(corpus, folds=(), widths={"text": corpus.widths["text"]})
    made().check_corpus(text, Path("run"))
