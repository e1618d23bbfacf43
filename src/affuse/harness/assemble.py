"""The table of a results folder: its rows, their differences, and what must be said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.evaluation.statistics import Summary, summarise
from affuse.files import null_to_nan
from affuse.harness.differences import Differences, ModelRuns, runs_of
from affuse.harness.records import SINGLE, TABLE, About, Run, read_about, read_runs
from affuse.harness.results import TRIVIAL, BenchmarkResult, ModelResult, check_extra
from affuse.metrics.scores import evaluate
from affuse.tasks import Task

if TYPE_CHECKING:
    pass


def hard_slice(about: About, rows: Mapping[str, ModelRuns]) -> dict[str, Any]:
    """The slice's size, and each model's scores on it, one a seed over all folds together.

    Returns:
        Empty where no sample is hard; else `samples`, `of` and `models`: name to metric to summary.
    """
    task = Task.from_config(about.task)
    count = sum(map(len, about.hard))
    finished = {name: row for name, row in rows.items() if row.seeds}
    if not count or not finished:
        return {}
    first = next(iter(finished.values()))
    return {
        "samples": count,
        "of": sum(len(fold[0].ids) for fold in first.folds),
        "models": {name: _scores(task, about, row) for name, row in finished.items()},
    }


def _scores(task: Task, about: About, row: ModelRuns) -> dict[str, Summary]:
    scored = []
    for seed in range(len(row.seeds)):
        targets, said = [], []
        for ids, fold in zip(about.hard, row.folds, strict=True):
            run, hard = fold[seed], set(ids)
            chosen = np.array([name in hard for name in run.ids], dtype=np.bool_)
            targets.append(run.target[chosen])
            said.append(run.prediction[chosen])
        scored.append(evaluate(task, np.concatenate(said), np.concatenate(targets)))
    return {metric: summarise([scores[metric] for scores in scored]) for metric in scored[0]}


def read_results(folder: Path) -> BenchmarkResult:
    """The table of a results folder, made anew from its runs, without the corpus.

    Of a benchmark that was stopped, seeds that lack a fold are not counted; a model without any
    has an empty row. It is the same table, byte for byte, that the benchmark wrote.

    Raises:
        InputError: not a results folder, or one of a version that kept less.
    """
    about = read_about(folder)
    return assemble(about, read_runs(folder, about))


def read_result(path: Path) -> BenchmarkResult:
    """A results folder as `read_results`, or a result.json as it stands.

    Raises:
        InputError: neither.
    """
    # A result may have been kept without its runs.
    kept = path / "result.json"
    file = kept if kept.is_file() and not (path / TABLE).exists() else path
    result = BenchmarkResult.read_json(file) if file.is_file() else read_results(path)
    check_extra(result, file)
    return result


def label(model: str) -> str:
    """A single modality's row is named after it."""
    return model.removeprefix(SINGLE)


def assemble(about: About, runs: Sequence[Run]) -> BenchmarkResult:
    """The table: trivial row, then each model over its seeds, and differences between them."""
    rows = {
        label(name): runs_of([r for r in runs if r.record["model"] == name], about.folds)
        for name in about.rows
    }
    models = {TRIVIAL: ModelResult(0, _trivial(about))}
    models |= {name: _model(row) for name, row in rows.items()}
    differences = Differences(about, rows)
    reference = label(about.reference)
    compared = differences.all_to(reference)
    singles = [label(name) for name in about.rows if name.startswith(SINGLE)]
    warnings = (*_openings(rows), *_origins(rows), *differences.warnings(models, singles))
    return BenchmarkResult(
        about.corpus,
        about.command,
        _versions(runs),
        models,
        {reference: compared} if compared else {},
        {**about.extra, **_extra(rows), **_hard(about, rows)},
        warnings,
    )


def _trivial(about: About) -> dict[str, Summary]:
    """Nothing about it is drawn at random: one number, over all folds."""
    folds = [null_to_nan(fold.metrics) for fold in about.trivial]
    names = folds[0] if folds else {}
    return {m: summarise([sum(scores[m] for scores in folds) / len(folds)]) for m in names}


def _model(row: ModelRuns) -> ModelResult:
    if not row.seeds:
        return ModelResult(0, {})
    first = row.records[0]
    metrics = {name: row.summarise("metrics", name) for name in first["metrics"]}
    primary = Counter(record["primary"] for record in row.records if "primary" in record)
    return ModelResult(first["parameters"], metrics, dict(primary))


def _extra(rows: Mapping[str, ModelRuns]) -> dict[str, Any]:
    """What else the JSON file says of each model."""
    finished = {name: row for name, row in rows.items() if row.seeds}
    extra: dict[str, Any] = {
        "configuration": {
            name: {key: row.records[0]["run"][key] for key in ("options", "train")}
            for name, row in finished.items()
        },
        "test_opened": {
            name: max(record["test_opened"]["count"] for record in row.records)
            for name, row in finished.items()
        },
    }
    subsets = {
        name: {
            kept: {m: _plain(row.summarise("subsets", kept, m)) for m in scores}
            for kept, scores in row.records[0]["subsets"].items()
        }
        for name, row in finished.items()
        if "subsets" in row.records[0]
    }
    return extra | ({"subsets": subsets} if subsets else {})


def _hard(about: About, rows: Mapping[str, ModelRuns]) -> dict[str, Any]:
    found = hard_slice(about, rows)
    if found:
        found["models"] = {
            name: {metric: _plain(summary) for metric, summary in scores.items()}
            for name, scores in found["models"].items()
        }
    return {"hard": found} if found else {}


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "mean": summary.mean,
        "std": summary.std,
        "ci95": list(summary.ci95),
        "runs": list(summary.runs),
    }


def _versions(runs: Sequence[Run]) -> dict[str, str]:
    """Package to version; to several where the runs were made with several."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for package, version in run.record["versions"].items():
            found.setdefault(package, {})[version] = None
    return {package: " and ".join(versions) for package, versions in found.items()}


def _origins(rows: Mapping[str, ModelRuns]) -> Iterator[str]:
    """What the harness cannot see to: weights that may have learnt from the test part before."""
    begun: dict[str, list[str]] = {}
    for name, row in rows.items():
        origin = row.records[0].get("init") if row.records else None
        if origin and origin["parameters"]:
            begun.setdefault(origin["corpus"]["name"], []).append(name)
    for corpus, names in begun.items():
        yield (
            f"{', '.join(names)} began with weights trained on {corpus}: that those have not seen "
            "the test part, only you can know"
        )


def _openings(rows: Mapping[str, ModelRuns]) -> Iterator[str]:
    for name, row in rows.items():
        for record in row.records:
            count = record["test_opened"]["count"]
            if count > 1:
                yield (
                    f"the test part of {name}, fold {record['fold']}, seed {record['seed']} was "
                    f"opened for {count} checkpoints: what was seen of one may have guided the next"
                )
