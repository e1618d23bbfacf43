"""Settings that differ by fold: merged, overruled, and refused where they were found elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affuse.errors import InputError
from affuse.samples import Corpus
from affuse.training.fold_settings import (
    merged,
    of_fold,
    overruled,
    read_settings,
    require_found_here,
)
from affuse.training.presets import plan

BY_FOLD = {"train": 24, "folds": {0: {"concat.width": 8}, "1": {"concat.width": 16}}}


@pytest.fixture
def several(corpus: Corpus) -> Corpus:
    return replace(corpus, folds=corpus.folds * 2)


def tuned(here: Corpus, *folds: int, **changes: Any) -> dict[str, Any]:
    """Settings as a search in these folds gives them."""
    known = {"corpus": here.name, "fingerprint": here.fingerprint(), "folds": 2}
    return {"tuned": {**known, **changes}, "folds": {fold: {"concat.width": 8} for fold in folds}}


def test_a_fold_has_its_own_and_those_of_all() -> None:
    assert of_fold(BY_FOLD, 0) == {"train": 24, "concat.width": 8}
    assert of_fold(BY_FOLD, 1) == {"train": 24, "concat.width": 16}
    assert of_fold(BY_FOLD, 2) == {"train": 24}
    widths = [plan("controlled", "concat", BY_FOLD, fold=fold).options["width"] for fold in (0, 1)]
    assert widths == [8, 16]
    with pytest.raises(InputError, match="did you mean"):
        plan("controlled", "concat", {"folds": {1: {"concat.widht": 8}}})


def test_files_are_merged_fold_by_fold(corpus: Corpus) -> None:
    first = tuned(corpus, 0, 1)
    second = {**tuned(corpus, 1), "folds": {1: {"mult.layers": 2}}}
    whole = merged(first, second, Path("b.yaml"))
    assert whole["folds"] == {0: {"concat.width": 8}, 1: {"concat.width": 8, "mult.layers": 2}}
    with pytest.raises(InputError, match=r"b\.yaml.*found on other.*same corpus"):
        merged(first, tuned(corpus, 0, corpus="other"), Path("b.yaml"))


def test_what_is_asked_for_overrules_every_fold() -> None:
    assert overruled(BY_FOLD, {"width": 4}) == {"train": 24, "width": 4, "folds": {0: {}, 1: {}}}
    assert of_fold(overruled(BY_FOLD, {"concat.width": 4}), 1) == {"train": 24, "concat.width": 4}


def test_each_fold_must_have_been_searched(several: Corpus) -> None:
    require_found_here(tuned(several, 0, 1), several, (0, 1))
    require_found_here(tuned(several, 1), several, [1])
    require_found_here({"epochs": 2}, several, (0, 1))
    with pytest.raises(InputError, match=r"found on fold 0 of .* and fold 1 is to be trained"):
        require_found_here(tuned(several, 0), several, (0, 1))


@pytest.mark.parametrize("known", [{}, {"corpus": "elsewhere", "fingerprint": "f00d"}])
def test_settings_of_other_data_are_refused_where_there_are_folds(
    corpus: Corpus, several: Corpus, known: dict[str, str]
) -> None:
    settings = {"tuned": known, "epochs": 2}
    words = r"found on (an unknown fold|elsewhere), whose validation part may be the test part"
    with pytest.raises(InputError, match=words):
        require_found_here(settings, several, [0])
    require_found_here(settings, corpus, [0])
    with pytest.raises(InputError, match=words):
        require_found_here({**settings, "folds": {0: {}}}, corpus, [0])


def test_files_of_earlier_searches_are_known_by_their_first_line(tmp_path: Path) -> None:
    file = tmp_path / "tuned.yaml"
    file.write_text("# Chosen by affuse tune on the validation part of ravdess (fold 0).\na: 1\n")
    assert read_settings(file) == {"a": 1, "tuned": {}}
    file.write_text("# My own.\na: 1\n")
    assert read_settings(file) == {"a": 1}


@pytest.mark.parametrize("content", ["folds: [1]", "folds: {a: {}}", "folds: {0: 1}", "tuned: 3"])
def test_damaged_files_are_one_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "tuned.yaml"
    file.write_text(content)
    with pytest.raises(InputError, match=r"tuned\.yaml: holds no settings by fold"):
        read_settings(file)
