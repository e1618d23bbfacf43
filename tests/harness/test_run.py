"""A benchmark end to end: its table, what it reuses, what it refuses, and a kill in the middle."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import Forked, typed

from affuse.errors import InputError
from affuse.evaluation.scorecard import trivial_scores
from affuse.fusion import count_parameters, create_model
from affuse.harness.assemble import read_result
from affuse.harness.request import Request
from affuse.harness.results import BenchmarkResult
from affuse.harness.run import run_benchmark
from affuse.metrics.scores import score_outputs
from affuse.readers import load_corpus
from affuse.readers.stored_write import store_corpus
from affuse.report.tables import markdown, write_csv
from affuse.samples import Corpus, Split
from affuse.training.presets import plan

SIZES = {"train": 24, "valid": 12, "test": 12}
SETTINGS = {**SIZES, "epochs": 2, "width": 8, "heads": 2, "members": 1}
REQUEST = Request(
    "controlled",
    models=("concat", "hct_mg"),
    seeds=2,
    settings=SETTINGS,
    jobs=2,
    command="affuse benchmark controlled",
)
MODALITIES = ("text", "audio", "vision")
ROWS = ("trivial", *MODALITIES, "concat", "hct_mg", "best possible")
JOBS = [f"{m}-fold0-seed{s}" for m in ("unimodal-text", "concat", "hct_mg") for s in (0, 1)]


class Finished:
    """A benchmark and the folder that it left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.result, self.records = run_benchmark(REQUEST, folder)
        self.content: dict[str, Any] = json.loads(self.result.to_json())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return Finished(tmp_path_factory.mktemp("benchmark"))


@pytest.fixture
def copy(finished: Finished, tmp_path: Path) -> Path:
    """A folder with the finished runs."""
    return shutil.copytree(finished.folder, tmp_path / "copy")


def written(folder: Path) -> dict[str, int]:
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.json")}


def test_the_json_keeps_its_contract(finished: Finished) -> None:
    content = finished.content
    assert content.keys() >= {"corpus", "command", "versions", "models"}
    assert content["corpus"] == "controlled[truth=text,train=24,valid=12,test=12]"
    assert content["command"] == REQUEST.command
    assert content["versions"].keys() >= {"affuse", "torch", "numpy", "python"}
    assert tuple(content["models"]) == ROWS
    for name, row in content["models"].items():
        assert row.keys() == {"parameters", "metrics", "primary", "members", "distilled"}
        assert isinstance(row["parameters"], int)
        assert row["metrics"].keys() >= {"mae", "corr", "acc2_nonzero", "f1_nonzero", "acc7"}
        for score in row["metrics"].values():
            assert score.keys() == {"mean", "std", "ci95", "runs"}
            assert len(score["ci95"]) == 2
            assert len(score["runs"]) == (1 if name in ("trivial", "best possible") else 2)
        assert sum(row["primary"].values()) == (2 if name == "hct_mg" else 0)
        assert set(row["primary"]) <= set(MODALITIES)
    assert BenchmarkResult.from_json(finished.result.to_json()) == finished.result


def test_its_numbers_are_those_of_the_runs(finished: Finished) -> None:
    models = finished.content["models"]
    for name in ("concat", "hct_mg"):
        files = [finished.folder / "runs" / f"{name}-fold0-seed{seed}.json" for seed in (0, 1)]
        runs = [json.loads(file.read_text())["metrics"]["mae"] for file in files]
        score = models[name]["metrics"]["mae"]
        assert score["runs"] == runs
        assert runs[0] != runs[1]
        assert score["mean"] == pytest.approx(np.mean(runs))
        assert score["std"] == pytest.approx(np.std(runs, ddof=1))
    corpus = load_corpus("controlled", options=SIZES)
    floor = {m: s["mean"] for m, s in models["trivial"]["metrics"].items()}
    assert floor == pytest.approx(trivial_scores(corpus))
    assert models["trivial"]["parameters"] == 0
    for name in ("hct_mg", "text"):
        full = f"unimodal:{name}" if name in MODALITIES else name
        model = create_model(full, corpus.widths, 1, plan("controlled", full, SETTINGS).options)
        assert models[name]["parameters"] == count_parameters(model)
    assert set(finished.content["paired"]["hct_mg"]) == {*ROWS} - {"hct_mg"}
    assert "primary_accuracy" in models["hct_mg"]["metrics"]


@pytest.mark.slow
def test_the_same_seeds_give_the_same_table_byte_for_byte(
    finished: Finished, tmp_path: Path
) -> None:
    again = Finished(tmp_path)
    assert again.result.to_json() == finished.result.to_json()
    assert markdown(again.result) == markdown(finished.result)
    for file in (finished.folder / "runs").glob("*.npz"):
        assert (tmp_path / "runs" / file.name).read_bytes() == file.read_bytes()
    for place, result in (
        (tmp_path / "a.csv", again.result),
        (tmp_path / "b.csv", finished.result),
    ):
        write_csv(result, place)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_every_run_keeps_answers_that_give_its_scores(finished: Finished) -> None:
    corpus = load_corpus("controlled", options=SIZES)
    test = corpus.folds[0].test
    for job in JOBS:
        record = json.loads((finished.folder / "runs" / f"{job}.json").read_text())
        content = (finished.folder / "runs" / f"{job}.npz").read_bytes()
        assert record["answers"] == hashlib.sha256(content).hexdigest()[:16]
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            assert kept["ids"].tolist() == [s.id for s in test]
            assert np.array_equal(kept["target"], [s.target for s in test])
            scores = score_outputs(corpus.task, kept["prediction"].astype(float), kept["target"])
            assert ("gate" in kept) == ("primary" in kept) == (record["model"] == "hct_mg")
        # The records' targets are doubles: sums may differ in the last digit.
        assert record["metrics"] == pytest.approx({**record["metrics"], **scores})


def test_the_test_part_is_opened_once_a_run(finished: Finished) -> None:
    assert set(finished.content["test_opened"].values()) == {1}
    lines = (finished.folder / "test-openings.jsonl").read_text().splitlines()
    opened = [json.loads(line) for line in lines]
    assert len({line["run"] for line in opened}) == len(opened) == 10
    assert {line["run"] for line in opened} >= set(JOBS)
    for record in finished.records:
        assert record["test_opened"]["count"] == 1
        assert record["test_opened"]["log"][0] in opened


def test_another_checkpoint_for_the_same_run_is_counted(finished: Finished, copy: Path) -> None:
    (copy / "runs" / "concat-fold0-seed1.json").unlink()
    # As a version left it whose training ended otherwise.
    earlier = {"run": "concat-fold0-seed1", "checkpoint": "77aa", "time": "2026-01-01T00:00:00"}
    with (copy / "test-openings.jsonl").open("a") as log:
        log.write(json.dumps(earlier) + "\n")
    result, records = run_benchmark(REQUEST, copy)
    assert result.extra["test_opened"] == {**finished.content["test_opened"], "concat": 2}
    (warning,) = (line for line in result.warnings if "opened" in line)
    assert warning.startswith(
        "the test part of concat, fold 0, seed 1 was opened for 2 checkpoints"
    )
    assert warning in markdown(result)
    assert result.models == finished.result.models
    (record,) = (r for r in records if r["test_opened"]["count"] == 2)
    # The checkpoint that was there already said the same once more.
    assert [line["checkpoint"] == "77aa" for line in record["test_opened"]["log"]] == [
        *(False, True, False),
    ]


def test_the_reference_is_compared_with_all_others(finished: Finished) -> None:
    for name, c in finished.result.paired["hct_mg"].items():
        assert c.statistic == "paired bootstrap over test samples and seeds, two-sided"
        assert {c.metric, *c.others} == set(finished.result.metrics) - {"primary_accuracy"}
        assert len(c.difference.runs) == 2
        ours, theirs = (finished.result.models[n].metrics[c.metric].mean for n in ("hct_mg", name))
        assert c.difference.mean == pytest.approx(ours - theirs)
    other, _ = run_benchmark(replace(REQUEST, reference="concat"), finished.folder)
    turned = other.paired["concat"]["hct_mg"].difference
    back = finished.result.paired["hct_mg"]["concat"].difference
    assert (turned.mean, turned.p) == pytest.approx((-back.mean, back.p))
    assert set(other.paired["concat"]) == {*ROWS} - {"concat"}


def test_only_records_are_left(finished: Finished) -> None:
    names = {p.name for p in (finished.folder / "runs").iterdir()}
    assert names >= {f"{job}.{kind}" for job in JOBS for kind in ("json", "npz")}
    assert len(names) == 20


def test_repeated_it_trains_nothing_and_says_the_same(finished: Finished) -> None:
    before, told = written(finished.folder / "runs"), []
    again, records = run_benchmark(REQUEST, finished.folder, lambda *event: told.append(event))
    assert told == []
    assert written(finished.folder / "runs") == before
    assert again.to_json() == finished.result.to_json()
    assert markdown(again) == markdown(finished.result)
    assert [r["metrics"] for r in records] == [r["metrics"] for r in finished.records]


def test_fewer_models_or_seeds_take_what_is_there(finished: Finished) -> None:
    fewer = replace(REQUEST, models=("hct_mg",), seeds=1)
    before = written(finished.folder / "runs")
    result, _ = run_benchmark(fewer, finished.folder)
    assert written(finished.folder / "runs") == before
    assert result.models["hct_mg"].metrics["mae"].runs == (
        finished.result.models["hct_mg"].metrics["mae"].runs[0],
    )
    assert tuple(result.models) == tuple(r for r in ROWS if r != "concat")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"settings": {**SETTINGS, "epochs": 3}}, r"another settings\.epochs;"),
        ({"settings": {**SETTINGS, "seed": 1}}, "another corpus, fingerprint"),
        ({"subsets": True}, "another subsets"),
    ],
)
def test_another_benchmark_does_not_mix_in(finished: Finished, change: Any, match: str) -> None:
    before = written(finished.folder)
    with pytest.raises(InputError, match=match):
        run_benchmark(replace(REQUEST, **change), finished.folder)
    assert written(finished.folder) == before


def test_runs_of_other_options_are_made_anew(finished: Finished, copy: Path) -> None:
    # As left by a version whose preset differed: one finished record and one stopped run.
    record = copy / "runs" / "concat-fold0-seed0.json"
    content = json.loads(record.read_text())
    content["run"]["train"]["learning_rate"] = 0.5
    content["metrics"]["mae"] = -1.0
    record.write_text(json.dumps(content))
    (copy / "runs" / "hct_mg-fold0-seed1.json").unlink()
    stopped = copy / "runs" / "hct_mg-fold0-seed1"
    stopped.mkdir()
    (stopped / "run.json").write_text(json.dumps(content["run"]))
    before = written(copy / "runs")
    result, _ = run_benchmark(REQUEST, copy)
    assert result.to_json() == finished.result.to_json()
    after = written(copy / "runs")
    made = {name for name in after if after[name] != before.get(name)}
    assert made == {"concat-fold0-seed0.json", "hct_mg-fold0-seed1.json"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run": {}}'])
def test_damaged_records_are_made_anew(finished: Finished, copy: Path, content: str) -> None:
    (copy / "runs" / "concat-fold0-seed1.json").write_text(content)
    assert run_benchmark(REQUEST, copy)[0].to_json() == finished.result.to_json()


@pytest.mark.slow
def test_subsets_are_asked_of_every_fusion_model(tmp_path: Path, finished: Finished) -> None:
    request = replace(REQUEST, models=("hct_mg",), seeds=1, subsets=True)
    result, _ = run_benchmark(request, tmp_path)
    subsets = result.extra["subsets"]
    assert tuple(subsets) == ("hct_mg",)
    assert set(subsets["hct_mg"]) == {
        *MODALITIES,
        *("text+audio", "text+vision", "audio+vision", "text+audio+vision"),
    }
    whole = subsets["hct_mg"]["text+audio+vision"]["mae"]
    assert whole["mean"] == pytest.approx(finished.result.models["hct_mg"].metrics["mae"].runs[0])
    # Fusion that shows no gain is not trusted: then the primary alone says what all together say.
    alone = {subsets["hct_mg"][modality]["mae"]["mean"] for modality in MODALITIES}
    assert len(alone) == len(MODALITIES)
    assert json.loads(result.to_json())["subsets"] == subsets


def test_normalisation_other_than_by_the_training_part_is_named(tmp_path: Path) -> None:
    settings = {**SETTINGS, "normalise": "none", "epochs": 1}
    request = replace(REQUEST, models=("concat",), seeds=1, settings=settings, singles=False)
    result, _ = run_benchmark(request, tmp_path)
    assert result.corpus.endswith(", normalise=none")
    assert "normalise=none" in markdown(result)


def test_a_limit_is_said_and_kept_to(tmp_path: Path) -> None:
    request = replace(REQUEST, models=("concat",), seeds=1, singles=False, limit=5)
    result, _ = run_benchmark(request, tmp_path)
    assert result.corpus.endswith("], limit=5")
    assert result.extra["limit"] == 5
    with np.load(tmp_path / "runs" / "concat-fold0-seed0.npz", allow_pickle=False) as kept:
        assert kept["ids"].tolist() == [f"test/{n}" for n in range(5)]
    (warning, *_) = result.warnings
    assert "no single modality stands beside these models" in warning


def folds(shared: bool = False) -> Corpus:
    """Two folds of the controlled corpus; with one training sample that is a test sample."""
    parts = load_corpus("controlled", options={"train": 20, "valid": 8, "test": 24}).folds[0]
    first, second = parts.test[:12], parts.test[12:]
    leak = [first[0]] if shared else []
    return replace(
        load_corpus("controlled", options=SIZES),
        folds=(
            Split([*parts.train, *second, *leak], parts.valid, first),
            Split([*parts.train, *first], parts.valid, second),
        ),
    )


@pytest.mark.slow
def test_folds_make_one_score_a_seed(tmp_path: Path) -> None:
    store_corpus(folds(), tmp_path / "corpus")
    settings = {k: v for k, v in SETTINGS.items() if k not in SIZES}
    asked = replace(REQUEST, models=("concat",), singles=False, reference="concat")
    request = replace(asked, corpus=str(tmp_path / "corpus"), settings=settings)
    result, records = run_benchmark(request, tmp_path / "out")
    assert len(records) == 4
    scores = {(r["seed"], r["fold"]): r["metrics"]["mae"] for r in records}
    expected = [(scores[seed, 0] + scores[seed, 1]) / 2 for seed in (0, 1)]
    assert result.models["concat"].metrics["mae"].runs == pytest.approx(expected)
    assert len(result.models["trivial"].metrics["mae"].runs) == 1
    trivial = result.paired["concat"]["trivial"].difference
    assert trivial.mean == pytest.approx(
        np.mean(expected) - result.models["trivial"].metrics["mae"].mean
    )
    assert "2 seeds of 2 folds" in markdown(result)
    # A seed counts when all its folds are there.
    (tmp_path / "out" / "runs" / "concat-fold1-seed0.json").unlink()
    rest = read_result(tmp_path / "out").models["concat"].metrics["mae"].runs
    assert rest == pytest.approx(expected[1:])


@pytest.mark.slow
def test_what_test_and_training_share_is_refused_or_dropped(tmp_path: Path) -> None:
    store_corpus(folds(shared=True), tmp_path / "corpus")
    settings = {k: v for k, v in SETTINGS.items() if k not in SIZES}
    request = replace(REQUEST, corpus=str(tmp_path / "corpus"), settings=settings, seeds=1)
    with pytest.raises(InputError, match="1 samples of train are test samples too, such as"):
        run_benchmark(request, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    request = replace(request, models=("concat",), singles=False, drop_shared=True)
    result, _ = run_benchmark(request, tmp_path / "out")
    assert result.corpus.endswith(", dropped=1")
    assert result.extra["drop_shared"] is True


def test_what_goes_wrong_in_a_run_is_one_error(tmp_path: Path) -> None:
    request = replace(REQUEST, seeds=1, settings={**SETTINGS, "learning_rate": 1e30, "warmup": 0})
    with pytest.raises(InputError, match="diverged: lower the learning rate"):
        run_benchmark(request, tmp_path)
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_is_one_error_and_work_goes_on(
    finished: Finished, copy: Path
) -> None:
    (copy / "runs" / "hct_mg-fold0-seed0.json").unlink()

    def kill_workers(*_: Any) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    with pytest.raises(InputError, match=r"worker process was killed.*; repeat with fewer --jobs"):
        run_benchmark(REQUEST, copy, kill_workers)
    assert run_benchmark(REQUEST, copy)[0].to_json() == finished.result.to_json()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seeds": 0}, "seeds, jobs and limit; give 1 or more"),
        ({"jobs": 0}, "seeds, jobs and limit"),
        ({"limit": 0}, "seeds, jobs and limit"),
        ({"models": ()}, "no models to compare"),
        ({"models": ("raven",)}, "unknown model 'raven'"),
        ({"reference": "concta"}, "unknown reference 'concta'; did you mean 'concat'"),
        ({"models": ("unimodal:smell",)}, "unknown modality 'smell'"),
        ({"settings": {"epoch": 1}}, "did you mean 'epochs'"),
        ({"corpus": "controled"}, "did you mean 'controlled'"),
    ],
)
def test_a_bad_request_leaves_no_trace(tmp_path: Path, change: Any, match: str) -> None:
    with pytest.raises(InputError, match=match):
        run_benchmark(replace(REQUEST, **change), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_to_the_same_end(
    finished: Finished, tmp_path: Path
) -> None:
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    command = [*REQUEST.command.split()[1:], *settings, "--models", "concat,hct_mg"]
    out = tmp_path / "out"
    program = Forked(typed(*command, "--seeds", 2, "--jobs", 2, "--out", out), tmp_path)
    wait_for(lambda: len(list((out / "runs").glob("*.json"))) >= 1)
    program.signal(signal.SIGKILL)
    assert program.wait().code == -signal.SIGKILL
    # Its workers must not write into the runs of the next one.
    wait_for(lambda: not program.workers())
    assert not (out / "result.json").exists()
    kept = written(out / "runs")
    assert 1 <= len([name for name in kept if "/" not in name]) < 10
    result, _ = run_benchmark(REQUEST, out)
    assert result.to_json() == finished.result.to_json()
    after = written(out / "runs")
    assert {name: after[name] for name in kept if "/" not in name}.items() <= kept.items()
