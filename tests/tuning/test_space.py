"""The space of each model: what its options declare, what a user changes, what cannot be."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from affuse.config import Choice, Range
from affuse.errors import InputError
from affuse.fusion import create_model, models
from affuse.training import presets
from affuse.training.presets import TrainOptions, plan
from affuse.tuning.space import describe, draw_value, for_model, read_space, search_space, untuned

PRESETS = ("controlled", "mosi", "ravdess", "mult")


@pytest.mark.parametrize("corpus", PRESETS)
@pytest.mark.parametrize("model", sorted(models()))
def test_every_model_can_be_tuned_from_what_it_has_now(corpus: str, model: str) -> None:
    space, values = search_space(corpus, model, {}, {}), untuned(corpus, model, {})
    assert {"learning_rate", "weight_decay", "batch_size"} < set(space)
    assert set(space) & set(models()[model].cls.Options.model_fields)
    assert all(entry.holds(values[key]) for key, entry in space.items())


@pytest.mark.parametrize("model", sorted(models()))
def test_every_drawn_setting_makes_a_model(model: str) -> None:
    space = search_space("controlled", model, {}, {})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = []
    for _ in range(8):
        trial = study.ask()
        drawn.append({key: draw_value(trial, key, entry) for key, entry in space.items()})
        planned = plan("controlled", model, for_model(model, drawn[-1]))
        create_model(model, {"text": 6, "audio": 3, "vision": 4}, 1, planned.options)
        assert {k: planned.options.get(k, v) for k, v in drawn[-1].items()} == drawn[-1]
        assert planned.train.learning_rate == drawn[-1]["learning_rate"]
    assert len({str(settings) for settings in drawn}) == 8


def test_widths_are_multiples_of_whatever_heads_may_be() -> None:
    heads = {"heads": Choice(3, 4), "width": Range(10, 70)}
    space = search_space("controlled", "hct_mg", {}, heads)
    assert space["width"] == Range(12, 60, step=12, multiple_of="heads")
    several = search_space("controlled", "hct_mg", {}, {"heads": Range(2, 4, step=2)})
    assert several["width"] == Range(16, 64, step=4, multiple_of="heads")
    fixed = search_space("controlled", "hct_mg", {"heads": 5}, {})
    assert fixed["width"] == Range(20, 60, step=5, multiple_of="heads")


def test_ranges_are_widened_to_what_the_preset_says(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = presets.Preset({"learning_rate": 0.5, "width": 207, "batch_size": 7, "dropout": 0.7}, {})
    monkeypatch.setattr(presets, "load_preset", lambda _: wide)
    space = search_space("controlled", "lf_lstm", {}, {})
    assert space["learning_rate"] == Range(1e-4, 0.5, log=True)
    assert space["width"] == Range(32, 320, step=1)
    assert space["batch_size"] == Choice(16, 32, 64, 7)
    assert space["dropout"] == Range(0.0, 0.7)
    # What a user asks for is what is searched.
    asked = search_space("controlled", "lf_lstm", {}, {"dropout": Range(0.1, 0.2)})
    assert asked["dropout"] == Range(0.1, 0.2)


def test_what_the_user_sets_is_not_searched() -> None:
    space = search_space("controlled", "hct_mg", {"dropout": 0.3, "hct_mg.width": 16}, {})
    assert not {"dropout", "width"} & set(space)
    other = search_space("controlled", "hct_mg", {"mult.width": 20}, {})
    assert "width" in other


def test_a_user_changes_the_space(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(
        "learning_rate: {low: 1e-5, high: 1e-3, log: true}\n"
        "width: {low: 10, high: 30}\n"
        "granularity: [task, sample]\n"
        "dropout: null\n"
        "hct_mg.input_dropout: {low: 0, high: 1e-1, step: 0.03}\n"
        "mult.layers: [2]\n"
    )
    space = search_space("controlled", "hct_mg", {}, read_space(file))
    assert space["learning_rate"] == Range(1e-5, 1e-3, log=True)
    assert space["width"] == Range(12, 28, step=4, multiple_of="heads")
    assert space["granularity"] == Choice("task", "sample")
    assert space["input_dropout"] == Range(0.0, pytest.approx(0.09), step=0.03)
    assert not {"dropout", "layers"} & set(space)
    assert describe(space)["width"] == {"low": 12, "high": 28, "step": 4}
    assert describe(space)["granularity"] == ["task", "sample"]
    assert search_space("controlled", "mult", {}, read_space(file))["layers"] == Choice(2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is not a space; write lines such as"),
        ("- 1", "is not a space"),
        ("a: [", "is not a space"),
        ("1: [2]", "is not a space"),
        ("dropout: 0.5", "dropout is neither a range nor a list"),
        ("dropout: []", "dropout is neither"),
        ("dropout: [[1]]", "dropout is neither"),
        ("dropout: {low: 0}", "high"),
        ("dropout: {low: a, high: 1}", "low"),
        ("dropout: {low: 0, hihg: 1}", "did you mean 'high'"),
    ],
)
def test_a_file_that_is_no_space_is_refused(tmp_path: Path, text: str, match: str) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=match) as refused:
        read_space(file)
    assert str(file) in str(refused.value)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_space(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ({"dropuot": Choice(0.1)}, "did you mean 'dropout'"),
        ({"raven.width": Choice(1)}, "unknown model 'raven'"),
        ({"truth": Choice("text")}, "truth belongs to the corpus"),
        ({"dropout": Range(0.0, 1.5)}, "dropout = 1.5"),
        ({"granularity": Choice("task", "clip")}, "granularity = 'clip'"),
        ({"width": Range(41, 43)}, "no value of width from 41 to 43"),
        ({"dropout": Range(0.5, 0.1)}, "no value of dropout"),
        ({"weight_decay": Range(0.0, 0.1, log=True)}, "no value of weight_decay"),
        ({"heads": Choice(2)}, "heads is both set and searched"),
    ],
)
def test_a_space_that_cannot_be_is_refused(asked, match: str) -> None:
    with pytest.raises(InputError, match=match):
        search_space("controlled", "hct_mg", {"heads": 4}, asked)


def test_training_options_declare_what_all_models_share() -> None:
    assert TrainOptions().learning_rate == 1e-3
    shared = set(search_space("controlled", "mult", {}, {})) & set(TrainOptions.model_fields)
    assert shared == {"learning_rate", "weight_decay", "batch_size"}


@pytest.mark.parametrize("key", ["members", "concat.members"])
def test_members_are_never_searched(key: str) -> None:
    assert "members" not in search_space("controlled", "concat", {}, {})
    with pytest.raises(InputError, match="members are not tuned"):
        search_space("controlled", "concat", {}, {key: Range(1, 5)})
