"""A results folder: what a table needs beside its runs, kept so that it is made again at any time.

benchmark.json   what the folder was claimed for: another benchmark does not mix in
table.json       rows, runs, trivial scores and all else that the table says
runs/NAME.json   the record of a finished run
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from affuse.errors import InputError
from affuse.evaluate.statistics import Summary, paired_difference, summarise
from affuse.evaluate.tables import BenchmarkResult, Comparison, ModelResult
from affuse.files import null_to_nan, to_strict_json, write_atomic

if TYPE_CHECKING:
    from affuse.evaluate.locked import Record

TABLE = "table.json"
RUNS = "runs"
REMEDY = "repeat the benchmark's command with this folder as --out: finished runs are kept"


class About(BaseModel):
    """What a table says that no run tells.

    Attributes:
        corpus: as the table names it.
        command: what to type to obtain it again.
        versions: package to version.
        rows: model names in table order.
        reference: the model to which the others are compared.
        metric: the corpus' headline metric.
        trivial: metrics of the trivial prediction, a dict a fold.
        runs: the name of each run asked for to the digest of its identity, in order.
        extra: further entries of the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str
    command: str
    versions: dict[str, str]
    rows: tuple[str, ...]
    reference: str
    metric: str
    trivial: list[dict[str, float | None]]
    runs: dict[str, str]
    extra: dict[str, Any]

    def write(self, folder: Path) -> None:
        write_atomic(folder / TABLE, to_strict_json(self.model_dump()).encode())


def read_results(folder: Path) -> BenchmarkResult:
    """The table of a results folder, made anew from its runs, without the corpus.

    Runs of a benchmark that was stopped are fewer; a model without any has an empty row. It is
    the same table, byte for byte, that the benchmark wrote.

    Raises:
        InputError: not a results folder, or one of a version that kept less.
    """
    about = read_about(folder)
    return assemble(about, read_records(folder, about))


def read_about(folder: Path) -> About:
    """Raises `InputError` where `table.json` is absent or damaged."""
    file = folder / TABLE
    try:
        return About.model_validate_json(file.read_bytes())
    except OSError:
        known = (folder / "benchmark.json").exists() or (folder / RUNS).is_dir()
        problem = f"has no {TABLE}" if known else "is not the results folder of a benchmark"
        remedy = REMEDY if known else "give a folder that affuse benchmark --out wrote"
        raise InputError(problem, remedy=remedy, source=folder) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"not what a benchmark writes: {f'entry {where}: ' if where else ''}"
        raise InputError(problem + first["msg"].lower(), remedy=REMEDY, source=file) from None


def read_records(folder: Path, about: About) -> list[Record]:
    """Records of the finished runs that `about` asks for, in its order."""
    found = (known_record(folder / RUNS / f"{name}.json", run) for name, run in about.runs.items())
    return [record for record in found if record is not None]


def known_record(file: Path, run: str) -> Record | None:
    """The record of a finished run; one of other data or settings, by its digest, is not taken."""
    try:
        record = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or digest(record.get("run")) != run:
        return None
    # Scores may have no value; an option that is null is null.
    return {**null_to_nan(record), "run": record["run"]}


def digest(run: object) -> str:
    """Of all that decides how a run ends."""
    text = json.dumps(run, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def assemble(about: About, records: Sequence[Record]) -> BenchmarkResult:
    """The table: trivial row, then each model over its runs, and differences to the reference."""
    by_model = {
        name: sorted(
            (r for r in records if r["model"] == name), key=lambda r: (r["fold"], r["seed"])
        )
        for name in about.rows
    }
    models = {"trivial": ModelResult(0, _trivial(about))}
    models |= {label(name): _row(runs) for name, runs in by_model.items()}
    configuration = {
        label(n): {key: runs[0]["run"][key] for key in ("options", "train")}
        for n, runs in by_model.items()
        if runs
    }
    extra = {**about.extra, "configuration": configuration}
    subsets = {
        label(n): _subsets(runs) for n, runs in by_model.items() if runs and "subsets" in runs[0]
    }
    if subsets:
        extra["subsets"] = subsets
    paired = _paired(by_model, about)
    return BenchmarkResult(about.corpus, about.command, about.versions, models, paired, extra)


def label(model: str) -> str:
    """A single modality's row is named after it."""
    return model.removeprefix("unimodal:")


def _row(runs: Sequence[Record]) -> ModelResult:
    if not runs:
        return ModelResult(0, {})
    metrics = {
        name: summarise([run["metrics"][name] for run in runs]) for name in runs[0]["metrics"]
    }
    primary = Counter(run["primary"] for run in runs if "primary" in run)
    return ModelResult(runs[0]["parameters"], metrics, dict(primary))


def _paired(by_model: Mapping[str, list[Record]], about: About) -> dict[str, Any]:
    """Over the folds and seeds that both models have."""
    scores = {
        name: {(r["fold"], r["seed"]): r["metrics"][about.metric] for r in runs}
        for name, runs in by_model.items()
    }
    ours = scores.pop(about.reference, {})
    differences = {}
    for name, theirs in scores.items():
        shared = [run for run in ours if run in theirs]
        if shared:
            pairs = [ours[run] for run in shared], [theirs[run] for run in shared]
            differences[label(name)] = Comparison(about.metric, paired_difference(*pairs))
    return {label(about.reference): differences} if ours else {}


def _subsets(runs: Sequence[Record]) -> dict[str, dict[str, Any]]:
    names = runs[0]["subsets"]
    return {
        kept: {
            metric: _plain(summarise([run["subsets"][kept][metric] for run in runs]))
            for metric in names[kept]
        }
        for kept in names
    }


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "mean": summary.mean,
        "std": summary.std,
        "ci95": list(summary.ci95),
        "runs": list(summary.runs),
    }


def _trivial(about: About) -> dict[str, Summary]:
    folds = null_to_nan(about.trivial)
    names = folds[0] if folds else {}
    return {name: summarise([scores[name] for scores in folds]) for name in names}
