"""The table of a results folder: its rows, their differences, and what must be said of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from affuse.evaluation.statistics import Summary, summarise
from affuse.files import null_to_nan
from affuse.harness.model_runs import ModelRuns, runs_of
from affuse.harness.records import SINGLE, TABLE, About, Best, Run, Trivial, read_about, read_runs
from affuse.harness.results import BEST, TRIVIAL, BenchmarkResult, ModelResult, check_extra
from affuse.harness.row_differences import Differences, best_runs
from affuse.harness.stress_areas import StressAreas
from affuse.metrics.scores import score_outputs
from affuse.tasks import Task


def read_result(path: Path) -> BenchmarkResult:
    """The table of a results folder, made anew from its runs, or a result.json as it stands.

    Of a benchmark that was stopped, seeds that lack a fold are not counted; a model without any
    has an empty row. It is the same table, byte for byte, that the benchmark wrote.

    Raises:
        InputError: neither, or of a version that kept less.
    """
    # A result may have been kept without its runs.
    kept = path / "result.json"
    file = kept if kept.is_file() and not (path / TABLE).exists() else path
    if file.is_file():
        result = BenchmarkResult.read_json(file)
    else:
        about = read_about(path)
        result = assemble(about, read_runs(path, about))
    check_extra(result, file)
    return result


def _row_name(model: str) -> str:
    """A single modality's row is named after it."""
    return model.removeprefix(SINGLE)


def assemble(about: About, runs: Sequence[Run]) -> BenchmarkResult:
    """The table: trivial row, each model over its seeds, the best possible row; differences."""
    rows = {
        _row_name(name): runs_of([r for r in runs if r.record["model"] == name], about.folds)
        for name in about.rows
    }
    models = {TRIVIAL: ModelResult(0, _over_folds(about.trivial))}
    models |= {name: _model(row) for name, row in rows.items()}
    if about.best:
        models[BEST] = ModelResult(0, _over_folds(about.best))
    differences = Differences(about, rows)
    reference = _row_name(about.reference)
    compared = differences.all_to(reference)
    singles = [_row_name(name) for name in about.rows if name.startswith(SINGLE)]
    hard = hard_slice(about, rows)
    warnings = (
        *_repeated_tests(rows),
        *_origins(rows),
        *_unequal(rows),
        *differences.warnings(models, singles),
    )
    stress = StressAreas(about, rows, differences)
    further = {"hard": hard, "stress_bands": stress.bands()}
    return BenchmarkResult(
        about.corpus,
        about.command,
        _versions(runs),
        models,
        {reference: compared} if compared else {},
        {**about.extra, **_extra(rows), **{k: found for k, found in further.items() if found}},
        warnings,
        stress.curves(),
        stress.paired(reference),
    )


def _over_folds(known: Sequence[Trivial | Best]) -> dict[str, Summary]:
    """Nothing about these is drawn at random: one number, over all folds."""
    folds = [null_to_nan(fold.metrics) for fold in known]
    names = folds[0] if folds else {}
    return {m: summarise([sum(scores[m] for scores in folds) / len(folds)], m) for m in names}


def _model(row: ModelRuns) -> ModelResult:
    if not row.seeds:
        return ModelResult(0, {})
    first = row.records[0]
    metrics = {name: row.summarise("metrics", name) for name in first["metrics"]}
    primary = Counter(record["primary"] for record in row.records if "primary" in record)
    # Where settings differ by fold, the largest.
    parameters = max(record["parameters"] for record in row.records)
    size = parameters, metrics, dict(primary), row.members, row.distilled
    return ModelResult(*size)


def _extra(rows: Mapping[str, ModelRuns]) -> dict[str, Any]:
    """What else the JSON file says of each model."""
    finished = {name: row for name, row in rows.items() if row.seeds}
    extra: dict[str, Any] = {
        "configuration": {name: row.configuration for name, row in finished.items()},
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


def _plain(summary: Summary) -> dict[str, Any]:
    return {**asdict(summary), "ci95": list(summary.ci95), "runs": list(summary.runs)}


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


def _repeated_tests(rows: Mapping[str, ModelRuns]) -> Iterator[str]:
    for name, row in rows.items():
        for record in row.records:
            count = record["test_opened"]["count"]
            if count > 1:
                yield (
                    f"the test part of {name}, fold {record['fold']}, seed {record['seed']} was "
                    f"opened for {count} checkpoints: what was seen of one may have guided the next"
                )


def _unequal(rows: Mapping[str, ModelRuns]) -> Iterator[str]:
    """What an ensemble gains is no model's merit."""
    finished = {name: row for name, row in rows.items() if row.seeds}
    for key, words in (("members", "members"), ("distilled", "distil")):
        known = {name: getattr(row, key) for name, row in finished.items()}
        if len({*known.values()}) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in known.items())
            yield (
                f"these models differ in their {words} ({listed}): differences between them are in "
                f"part those of any ensemble; --set {words}={max(known.values())} is for all"
            )


def hard_slice(about: About, rows: Mapping[str, ModelRuns]) -> dict[str, Any]:
    """The slice's size, and each model's scores on it, one a seed over all folds together.

    Returns:
        Empty where no sample is hard; else `samples`, `of` and `models`: name to metric to summary,
        as plain data.
    """
    count = sum(map(len, about.hard))
    finished = {name: row for name, row in rows.items() if row.seeds}
    if not count or not finished:
        return {}
    first = next(iter(finished.values()))
    asked = finished | ({BEST: best_runs(about, first)} if about.best else {})
    return {
        "samples": count,
        "of": sum(len(fold[0].ids) for fold in first.folds),
        "models": {name: _hard_scores(about, row) for name, row in asked.items()},
    }


def _hard_scores(about: About, row: ModelRuns) -> dict[str, dict[str, Any]]:
    task = Task.from_config(about.task)
    scored = []
    for seed in range(len(row.seeds)):
        targets, predictions = [], []
        for ids, fold in zip(about.hard, row.folds, strict=True):
            run = fold[seed]
            chosen = np.isin(run.ids, ids)
            targets.append(run.target[chosen])
            predictions.append(run.prediction[chosen])
        scored.append(score_outputs(task, np.concatenate(predictions), np.concatenate(targets)))
    each = {
        metric: summarise([scores[metric] for scores in scored], metric) for metric in scored[0]
    }
    return {metric: _plain(summary) for metric, summary in each.items()}
