"""What a results folder keeps, so that its table is made again at any time.

benchmark.json        what the folder was claimed for: another benchmark does not mix in
table.json            rows, runs, trivial prediction and all else that no run tells
test-openings.jsonl   each time that a test part was opened
runs/NAME.json        the record of a finished run
runs/NAME.npz         its answers: ids, target (N, K), prediction (N, C) and, of a gated
                      model, primary (N,) and gate (N, M); under stress, of each kind
                      stress_KIND (L, N, C), every level but the clean one
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from affuse.config import invalid
from affuse.errors import InputError, file_error
from affuse.files import digest, digest_json, null_to_nan, to_strict_json, write_atomic

if TYPE_CHECKING:
    from affuse.evaluation.held_out import Answers, Key, Record

MARK = "benchmark.json"
TABLE = "table.json"
RUNS = "runs"
TEST_LOG = "test-openings.jsonl"
STRESS = "stress_"
SINGLE = "unimodal:"
"""What the model name of a single modality begins with."""
NEEDED = {"model", "fold", "seed", "parameters", "metrics", "versions", "test_opened", "answers"}
"""Entries of a record; one of a version that kept less is made anew."""
REMEDY = "repeat the benchmark's command with this folder as --out: finished runs are kept"


class Trivial(BaseModel):
    """The trivial prediction of a fold, raw outputs `(C,)`, and its metrics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: tuple[float, ...]
    metrics: dict[str, float | None]


class Best(BaseModel):
    """The best possible answers of a fold, raw outputs `(N, C)`, and their metrics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outputs: tuple[tuple[float, ...], ...]
    metrics: dict[str, float | None]


class About(BaseModel):
    """What a table says that no run tells.

    Attributes:
        corpus: as the table names it.
        command: what to type to obtain it again.
        rows: model names in table order.
        reference: the model to which the others are compared, where it is among them.
        folds: how many the corpus has.
        trivial: a fold each; none where a part lacks labels.
        runs: the name of each run asked for to the digest of its identity.
        hard: a fold each, ids of the test samples whose modalities mislead.
        groups: a fold each, the group of each labelled test sample, in their order.
        best: a fold each; none where the best possible answers are not known.
        extra: further entries of the result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str
    command: str
    rows: tuple[str, ...]
    reference: str
    task: dict[str, Any]
    folds: int
    trivial: tuple[Trivial, ...]
    runs: dict[str, str]
    extra: dict[str, Any]
    hard: tuple[tuple[str, ...], ...] = ()
    groups: tuple[tuple[str | None, ...], ...] = ()
    best: tuple[Best, ...] = ()

    def write(self, folder: Path) -> None:
        write_atomic(folder / TABLE, to_strict_json(self.model_dump()).encode())


@dataclass(frozen=True)
class Run:
    """A finished run of N test samples."""

    record: Record  # its JSON content
    ids: tuple[str, ...]
    target: NDArray[np.float64]  # `(N, K)`
    prediction: NDArray[np.float64]  # raw outputs `(N, C)`
    # Kind of stress to raw outputs `(L, N, C)` at each level but the clean one.
    spoilt: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def write_run(runs: Path, name: str, record: Record, answers: Answers, key: Key) -> None:
    """Keep a run; the record comes last and knows its answers, so that a run with one is whole."""
    arrays: dict[str, Any] = {
        "ids": np.array(key.ids),
        "target": key.target.astype(np.float32),
        "prediction": answers.prediction,
    }
    if answers.primary is not None and answers.gate is not None:
        arrays["primary"] = answers.primary.astype(np.int8)
        arrays["gate"] = answers.gate.astype(np.float32)
    arrays |= {f"{STRESS}{kind}": said for kind, said in answers.spoilt.items()}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomic(runs / f"{name}.npz", content.getvalue())
    whole = {**record, "answers": digest(content.getvalue())}
    write_atomic(runs / f"{name}.json", to_strict_json(whole).encode())


def read_about(folder: Path) -> About:
    """Raises `InputError` where `table.json` is absent or damaged."""
    file = folder / TABLE
    try:
        return About.model_validate_json(file.read_bytes())
    except OSError:
        known = (folder / MARK).exists() or (folder / RUNS).is_dir()
        problem = f"has no {TABLE}" if known else "is not the results folder of a benchmark"
        remedy = REMEDY if known else "give a folder that affuse benchmark --out wrote"
        raise InputError(problem, remedy=remedy, source=folder) from None
    except ValidationError as error:
        raise invalid(error, "what a benchmark writes", remedy=REMEDY, source=file) from None


def read_runs(folder: Path, about: About) -> list[Run]:
    """The finished runs that `about` asks for, in its order."""
    found = (read_run(folder / RUNS, name, run) for name, run in about.runs.items())
    return [run for run in found if run is not None]


def read_run(runs: Path, name: str, run: str) -> Run | None:
    """A finished run; neither a damaged one, nor one whose digest tells other data or settings."""
    try:
        record = json.loads((runs / f"{name}.json").read_text())
        if digest_json(record["run"]) != run or not record.keys() >= NEEDED:
            return None
        content = (runs / f"{name}.npz").read_bytes()
        if digest(content) != record["answers"]:
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            ids = tuple(arrays["ids"].tolist())
            target, prediction = (
                arrays[part].astype(np.float64) for part in ("target", "prediction")
            )
            spoilt = {
                name.removeprefix(STRESS): arrays[name].astype(np.float64)
                for name in arrays.files
                if name.startswith(STRESS)
            }
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None
    # Scores may have no value; an option that is null is null.
    return Run({**null_to_nan(record), "run": record["run"]}, ids, target, prediction, spoilt)


def read_identity(runs: Path, name: str) -> dict[str, Any] | None:
    """All that decided how a finished run ended; None where there is none."""
    try:
        found = _read_object((runs / f"{name}.json").read_text()).get("run")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def log_test_use(folder: Path, run: str, checkpoint: str) -> dict[str, Any]:
    """Note that a run's test part is opened for a checkpoint.

    The same checkpoint may be asked again, as after a kill: it says the same. Another one counts,
    for what was seen of the first may have guided it.

    Args:
        checkpoint: the digest of its weights.

    Returns:
        `count`, for how many checkpoints the part was opened, and `log`, all openings of the run.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    opened = {"run": run, "checkpoint": checkpoint, "time": now}
    file = folder / TEST_LOG
    try:
        known = file.read_text(encoding="utf-8") if file.exists() else ""
        # A kill may have cut the last line short.
        begin = "" if known.endswith("\n") or not known else "\n"
        with file.open("a", encoding="utf-8") as log:
            log.write(f"{begin}{json.dumps(opened)}\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        raise file_error(error, "cannot be written", file) from None
    lines = (*map(_read_object, known.splitlines()), opened)
    same = [line for line in lines if line.get("run") == run]
    return {"count": len({line.get("checkpoint") for line in same}), "log": same}


def _read_object(text: str) -> dict[str, Any]:
    """A JSON object; what a kill cut short has no content."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
