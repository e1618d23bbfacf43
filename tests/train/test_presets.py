"""Whose setting it is, which of two counts, and that the presets themselves are sound."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml

from affuse.corpora.registry import corpora
from affuse.errors import InputError
from affuse.models import models
from affuse.train.options import TrainOptions
from affuse.train.presets import (
    check_keys,
    corpus_options,
    load_preset,
    plan,
)

FOLDER = files("affuse.train") / "presets"
PRESETS = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".yaml"))


def test_presets_belong_to_corpora() -> None:
    assert {name.removesuffix(".yaml") for name in PRESETS} <= {*corpora(), "default"}
    assert "default.yaml" in PRESETS


@pytest.mark.parametrize("file", PRESETS)
def test_a_preset_names_only_what_is_known(file: str) -> None:
    content = yaml.safe_load((FOLDER / file).read_text())
    assert set(content) <= {"shared", "models"}
    name = file.removesuffix(".yaml")
    corpus = name if name in corpora() else "mult"
    preset = load_preset(name)
    check_keys(corpus, preset.shared)
    for model, settings in preset.models.items():
        check_keys(corpus, [f"{model}.{key}" for key in settings])


@pytest.mark.parametrize("corpus", [*corpora(), "some/file.pkl"])
@pytest.mark.parametrize("model", [*models(), "unimodal:audio"])
def test_every_model_can_be_planned_on_every_corpus(corpus: str, model: str) -> None:
    planned = plan(corpus, model, {})
    assert planned.model == model
    corpus_options(corpus, {})


def test_a_corpus_without_a_preset_has_the_default() -> None:
    assert load_preset("no such corpus") == load_preset("default")


def test_settings_reach_their_owner() -> None:
    settings = {"epochs": 5, "width": 8, "heads": 2, "valid": 7}
    planned = plan("controlled", "hct_mg", settings)
    assert planned.train.epochs == 5
    assert (planned.options["width"], planned.options["heads"]) == (8, 2)
    assert "valid" not in planned.options
    assert corpus_options("controlled", settings)["valid"] == 7


def test_one_model_can_be_told_apart() -> None:
    settings = {"epochs": 5, "concat.epochs": 6, "concat.width": 8, "mult.learning_rate": 0.1}
    assert plan("controlled", "concat", settings).train.epochs == 6
    assert plan("controlled", "concat", settings).options["width"] == 8
    assert plan("controlled", "mult", settings).train.epochs == 5
    assert plan("controlled", "mult", settings).train.learning_rate == 0.1


def test_what_the_reader_knows_is_the_readers_alone() -> None:
    # Both the generator and training have a `noise`, the text features and MulT have `layers`.
    assert corpus_options("controlled", {"noise": 2.0})["noise"] == 2.0
    assert plan("controlled", "hct_mg", {"noise": 2.0}).train.noise == {}
    assert plan("controlled", "hct_mg", {"hct_mg.noise": {"text": 0.5}}).train.noise == {
        "text": 0.5
    }
    assert "layers" not in plan("mosi", "mult", {"layers": [0, 3, 6]}).options
    assert corpus_options("mosi", {"layers": [0, 3, 6]})["layers"] == [0, 3, 6]
    assert plan("mosi", "mult", {"mult.layers": 2}).options["layers"] == 2


def test_a_user_counts_for_more_than_a_preset() -> None:
    for corpus in corpora():
        for model in models():
            assert plan(corpus, model, {"batch_size": 7}).train.batch_size == 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"hct_mg.epoch": 3}, "unknown hct_mg setting 'epoch'; did you mean 'epochs'"),
        ({"hct.epochs": 3}, "unknown model 'hct'; did you mean 'hct_mg'"),
        ({"hct_mg.train": 3}, "unknown hct_mg setting 'train'"),
        ({"epochs": 0}, "option 'epochs' = 0: .* greater than or equal to 1"),
        ({"epochs": "many"}, "option 'epochs' = 'many'"),
        ({"learning_rate": None}, "option 'learning_rate' = None"),
        ({"normalise": "all"}, "option 'normalise' = 'all'"),
        ({"noise": {"text": "much"}, "hct_mg.noise": {"text": "much"}}, "'noise.text' = 'much'"),
        ({"learning_rate": float("inf")}, "option 'learning_rate' = inf"),
        ({"time_mask": {"text": 1.5}}, "option 'time_mask.text' = 1.5"),
        ({"shift": {"text": -0.1}}, "option 'shift.text' = -0.1"),
        ({"granularity": "word"}, "option 'granularity' = 'word'"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan("controlled", "hct_mg", settings)


def test_unknown_models_are_refused() -> None:
    with pytest.raises(InputError, match="unknown model 'hct_gm'; did you mean 'hct_mg'"):
        plan("controlled", "hct_gm", {})


def test_options_name_every_training_field_in_their_documentation() -> None:
    documented = TrainOptions.__doc__ or ""
    assert [name for name in TrainOptions.model_fields if f"{name}: " not in documented] == []
