"""A search in each fold by itself, and a benchmark that uses what each found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from affuse.cli.common import parse_settings
from affuse.errors import InputError
from affuse.harness.request import Request
from affuse.harness.run import run_benchmark
from affuse.readers.stored_write import store_corpus
from affuse.samples import Corpus, Split
from affuse.tuning.outcome import StudyResult, TuningResult
from affuse.tuning.search import TuningRequest, open_studies
from affuse.tuning.search_workers import work
from affuse.tuning.trial import FoldData

SIZES = {"epochs": 1, "heads": 2, "encoder_layers": 1, "kernel": 1}


@pytest.fixture
def stored(corpus: Corpus, tmp_path: Path) -> Path:
    """Two folds, of which each validates on what the other tests."""
    train, valid, test = corpus.folds[0].parts().values()
    folds = Split(train, valid, test), Split(train, test, valid)
    store_corpus(replace(corpus, folds=folds), tmp_path / "two")
    return tmp_path / "two"


@pytest.fixture
def request_for(ask: Any, stored: Path):
    def make(**changes: Any) -> TuningRequest:
        return ask(**{"corpus": str(stored), "trials": 2, "settings": SIZES, **changes})

    return make


def searched(request: TuningRequest) -> TuningResult:
    """In this process."""
    corpus = request.load()
    studies = open_studies(request, corpus)
    folds = {fold: FoldData.of(corpus, fold) for fold in request.folds(corpus)}
    work(request, folds, {place: study.study_name for place, study in studies.items()})
    found = [StudyResult.read(model, study) for (model, _), study in studies.items()]
    return TuningResult(request, "mae", found)


@pytest.mark.slow
def test_each_fold_is_searched_by_itself(request_for, stored: Path, tmp_path: Path) -> None:
    tuning = searched(request_for())
    first, second = tuning.models
    assert [found.title for found in (first, second)] == ["concat, fold 0", "concat, fold 1"]
    assert [len(found.trials) for found in (first, second)] == [2, 2]
    # The same settings, tried on other validation parts.
    assert first.trials[0].params == second.trials[0].params
    assert first.trials[0].value != second.trials[0].value
    content = tuning.to_dict()["models"]["concat"]["folds"]
    assert {fold: known["study"] for fold, known in content.items()} == {
        "0": first.study,
        "1": second.study,
    }
    # Again: all is there.
    assert [len(found.trials) for found in searched(request_for()).models] == [2, 2]

    file = tmp_path / "tuned.yaml"
    tuning.write_yaml(file)
    assert yaml.safe_load(file.read_text())["folds"].keys() == {0, 1}
    settings = parse_settings(["width=8"], [file])
    request = Request(str(stored), models=("concat",), seeds=1, settings=settings, singles=False)
    result, records = run_benchmark(replace(request, jobs=1), tmp_path / "results")
    rates = {r["fold"]: r["run"]["train"]["learning_rate"] for r in records}
    assert rates == {f: m.best.params["learning_rate"] for f, m in enumerate(tuning.models)}
    assert {r["run"]["options"]["width"] for r in records} == {8}
    assert result.extra["configuration"]["concat"]["train"]["learning_rate"] == rates[0]


@pytest.mark.slow
def test_what_one_fold_found_is_not_for_another(
    request_for, stored: Path, corpus: Corpus, tmp_path: Path
) -> None:
    file = tmp_path / "tuned.yaml"
    searched(request_for(fold=1, trials=1)).write_yaml(file)
    settings = parse_settings(None, [file])
    request = Request(str(stored), models=("concat",), seeds=1, settings=settings, singles=False)
    with pytest.raises(InputError, match=r"found on fold 1 of .* fold 0 is to be trained"):
        request.load()
    searched(request_for(trials=1)).write_yaml(file)
    settings = parse_settings(None, [file])
    # The same folds, of which a part is used.
    replace(request, settings=settings, limit=6).load()
    other = replace(corpus, folds=corpus.folds * 2)
    store_corpus(other, tmp_path / "other")
    with pytest.raises(InputError, match="whose validation part may be the test part of a fold"):
        replace(request, corpus=str(tmp_path / "other"), settings=settings).load()
