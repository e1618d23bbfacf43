"""Whose setting it is, which of two counts, and that the presets themselves are sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from affuse.errors import InputError
from affuse.fusion import create_model, models
from affuse.readers import load_corpus, registry
from affuse.readers.registry import corpora
from affuse.readers.stored_write import store_corpus
from affuse.training.presets import (
    TrainOptions,
    check_keys,
    corpus_options,
    load_preset,
    plan,
)

FOLDER = files("affuse.training") / "presets"
PRESETS = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".yaml"))


NAMES = [name.removesuffix(".yaml") for name in PRESETS]
WIDTHS = {
    "mosi": {"text": 300, "audio": 5, "vision": 20},
    "mosei": {"text": 300, "audio": 74, "vision": 35},
    "iemocap": {"text": 300, "audio": 74, "vision": 35},
    "sims": {"text": 768, "audio": 33, "vision": 709},
}

Choose = Callable[[str], None]


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Choose:
    """`choose(name)` makes `name` the preset of every file of the reader that it is for."""

    def make(name: str) -> None:
        reader = name.partition("-")[0].replace("default", "mult")
        entry = replace(corpora()[reader], preset=lambda _: name)
        monkeypatch.setitem(registry._ENTRIES, reader, entry)

    return make


def test_presets_belong_to_corpora() -> None:
    assert {name.partition("-")[0] for name in NAMES} <= {*corpora(), "default"}
    assert "default" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_preset_makes_every_model(name: str, choose: Choose) -> None:
    choose(name)
    reader, _, corpus = name.replace("default", "mult").partition("-")
    for model in models():
        planned = plan(reader, model, {}, Path("some file"))
        create_model(model, WIDTHS.get(corpus, WIDTHS["mosi"]), 8, planned.options)


@pytest.mark.parametrize(
    ("name", "model", "option", "value"),
    [
        ("mult-mosi", "mult", "heads", 10),
        ("mult-mosei", "mult", "heads", 8),
        ("mult-iemocap", "mult", "attention_dropout", 0.25),
        ("mmsa-mosi", "misa", "similarity", 0.3),
    ],
)
def test_settings_of_papers_reach_the_model(
    name: str, model: str, option: str, value: float, choose: Choose
) -> None:
    choose(name)
    reader, other = name.partition("-")[0], type(value)(value / 2)
    assert plan(reader, model, {}, Path("file")).options[option] == value
    assert plan(reader, model, {option: other}, Path("file")).options[option] == other


def test_a_preset_file_outside_the_folder_is_never_read() -> None:
    assert load_preset("../presets/mosi") == load_preset("default")
    assert load_preset("/etc/passwd") == load_preset("default")


def test_what_was_stored_trains_as_what_it_came_from(tmp_path: Path) -> None:
    options = {"train": 6, "valid": 3, "test": 3}
    store_corpus(load_corpus("controlled", options=options), tmp_path / "stored")
    stored = str(tmp_path / "stored")
    for model in models():
        assert plan(stored, model, {}) == plan("controlled", model, {})
        assert plan("stored", model, {}, tmp_path / "stored") == plan("controlled", model, {})


def test_a_readers_options_are_not_those_of_what_was_stored(tmp_path: Path) -> None:
    # The preset of MOSI has the reader's `layers`, a list: MulT's `layers` is a number.
    assert "layers" in load_preset("mosi").shared
    read = load_corpus("controlled", options={"train": 6, "valid": 3, "test": 3})
    store_corpus(replace(read, name="mosi[split=bc]", preset="mosi"), tmp_path / "stored")
    assert corpus_options(str(tmp_path / "stored"), {}) == {}
    planned = plan(str(tmp_path / "stored"), "mult", {})
    assert "layers" not in planned.options
    assert planned == plan("mosi", "mult", {})


@pytest.mark.parametrize("file", PRESETS)
def test_a_preset_names_only_what_is_known(file: str) -> None:
    content = yaml.safe_load((FOLDER / file).read_text())
    assert set(content) <= {"shared", "models"}
    name = file.removesuffix(".yaml")
    corpus = name.partition("-")[0].replace("default", "mult")
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
    for name in ("no such corpus", "mult", "mmsa", "", "-"):
        assert load_preset(name) == load_preset("default")


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
