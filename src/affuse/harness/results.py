"""What a benchmark found: a row a model, their differences, and what must be said of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from affuse.config import invalid
from affuse.errors import InputError, unknown_name
from affuse.evaluation.statistics import Comparison, Summary
from affuse.files import null_to_nan, to_strict_json, write_atomic
from affuse.metrics.scores import higher_is_better
from affuse.samples import MODALITIES
from affuse.shown import Shown

TRIVIAL = "trivial"
BEST = "best possible"
REFERENCES = TRIVIAL, BEST
"""Rows of no model: the best constant, and the best reader of a corpus that was generated."""
_STRESS = "stress", "stress_paired"
_REMEDY = "give a file that a benchmark wrote, or run the benchmark again"


@dataclass(frozen=True)
class ModelResult:
    """A model's row.

    Attributes:
        parameters: trainable ones, of all members together.
        metrics: name to its runs; empty where the model could not run.
        primary: modality to the number of runs in which it led most of the test samples.
        members: networks that answer by their mean.
        distilled: members of the teacher that it learnt from, which are not counted; 0 without.
    """

    parameters: int
    metrics: dict[str, Summary]
    primary: dict[str, int] = field(default_factory=dict)
    members: int = 1
    distilled: int = 0


@dataclass(frozen=True)
class StressCurve:
    """A row under one kind of stress (`affuse.evaluation.stress`).

    Attributes:
        area: the mean height under the curve of the headline metric over the levels, one a seed.
        levels: pairs of a level, from 0 which is clean, and the mean there.
    """

    area: Summary
    levels: tuple[tuple[float, float], ...]


@dataclass(frozen=True, repr=False)
class BenchmarkResult(Shown):
    """What one benchmark found.

    Attributes:
        corpus: its name, with the options that change the data.
        command: what to type to obtain it again.
        versions: package to version.
        models: name to row, in the order shown.
        paired: reference model to other model to their difference.
        extra: further top-level entries of the JSON file, kept as they are.
        warnings: what must be said of the models, a line each.
        stress: kind of stress to row to its curve, where stress was asked for.
        stress_paired: kind to differences of areas, in the form of `paired`.
    """

    corpus: str
    command: str
    versions: dict[str, str]
    models: dict[str, ModelResult]
    paired: dict[str, dict[str, Comparison]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    stress: dict[str, dict[str, StressCurve]] = field(default_factory=dict)
    stress_paired: dict[str, dict[str, dict[str, Comparison]]] = field(default_factory=dict)

    def _summary(self) -> str:
        metric = next(iter(self.metrics), "")
        means = (f"{m} {r.metrics[metric].mean:.3f}" for m, r in self.models.items() if r.metrics)
        return f"{self.corpus!r}, {self.seeds}, {metric}: {', '.join(means)}"

    @property
    def ensembles(self) -> bool:
        """Whether a model is more than one network."""
        return any(row.members > 1 for row in self.models.values())

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics of any model, in order of first appearance."""
        return tuple(dict.fromkeys(m for row in self.models.values() for m in row.metrics))

    def to_json(self) -> str:
        """The file's text; a score without a value (nan) is null."""
        return to_strict_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str, *, source: str | Path | None = None) -> BenchmarkResult:
        """The inverse of `to_json`.

        Raises:
            InputError: not JSON, or not a benchmark's; it names the first wrong entry.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            problem = f"line {error.lineno}: {error.msg.lower()}"
            raise InputError(problem, remedy=_REMEDY, source=source) from None
        if not isinstance(content, dict):
            raise InputError("not a JSON object", remedy=_REMEDY, source=source)
        known = {f.name for f in fields(cls)} - {"extra"}
        extra = {key: content.pop(key) for key in list(content) if key not in known}
        for key in {"models", "paired", "stress", "stress_paired"} & content.keys():
            content[key] = null_to_nan(content[key])
        _add_members(content, extra)
        try:
            return TypeAdapter(cls).validate_python({**content, "extra": extra})
        except ValidationError as error:
            raise invalid(error, "a benchmark's result", remedy=_REMEDY, source=source) from None

    def write_json(self, path: Path) -> None:
        write_atomic(path, self.to_json().encode())

    @classmethod
    def read_json(cls, path: Path) -> BenchmarkResult:
        """Raises `InputError` for a file that is absent or malformed."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remedy = "give a benchmark's .json file"
            raise InputError(f"cannot be read ({error})", remedy=remedy, source=path) from None
        return cls.from_json(text, source=path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data; a score without a value is nan."""
        content = asdict(self)
        content.update(content.pop("extra"))
        # Most benchmarks were not asked for it.
        return content if self.stress else {k: v for k, v in content.items() if k not in _STRESS}

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each model and metric, then each area under stress, for a data frame."""
        return [
            {
                "corpus": self.corpus,
                "model": model,
                "members": row.members,
                "parameters": row.parameters,
                "metric": metric,
                "mean": s.mean,
                "std": s.std,
                "ci95_low": s.ci95[0],
                "ci95_high": s.ci95[1],
                "runs": list(s.runs),
            }
            for model, row in self.models.items()
            for metric, s in {**row.metrics, **self._areas(model)}.items()
        ]

    @property
    def stress_metric(self) -> str:
        """That of curves and areas."""
        known: str = self.extra.get("stress_about", {}).get("metric", "")
        return known

    def _areas(self, model: str) -> dict[str, Summary]:
        """By names such as `mae area under noise`."""
        return {
            f"{self.stress_metric} area under {kind}": curves[model].area
            for kind, curves in self.stress.items()
            if model in curves
        }

    @property
    def seed_counts(self) -> tuple[int, int]:
        """The fewest and the most seeds that a model's score has."""
        rows = [row for name, row in self.models.items() if name not in REFERENCES]
        counts = {len(s.runs) for row in rows for s in row.metrics.values()} or {0}
        return min(counts), max(counts)

    @property
    def seeds(self) -> str:
        """How many seeds its rows have, of how many folds, in words."""
        low, high = self.seed_counts
        seeds = f"{high} seed{'s' * (high != 1)}" if low == high else f"{low} to {high} seeds"
        folds = self.extra.get("folds", 1)
        return f"{seeds} of {folds} folds" if folds != 1 else seeds

    def best(self, metric: str) -> set[str]:
        """Models whose mean is the best; several where they tie. No model is the best possible."""
        means = {
            model: row.metrics[metric].mean
            for model, row in self.models.items()
            if model != BEST and metric in row.metrics and row.metrics[metric].runs
        }
        scores = [mean for mean in means.values() if not math.isnan(mean)]
        if not scores:
            return set()
        best = max(scores) if higher_is_better(metric) else min(scores)
        return {model for model, mean in means.items() if mean == best}

    def is_baseline(self, model: str) -> bool:
        """Whether a row is of no model, or a single modality's, named after it."""
        return model in (*REFERENCES, *MODALITIES, *self.extra.get("features", {}))

    def unfinished(self) -> dict[str, tuple[int, int]]:
        """Models that lack seeds, with how many they have and how many were asked for."""
        asked = self.extra.get("seeds") or 0
        seeds = {
            model: max((len(s.runs) for s in row.metrics.values()), default=0)
            for model, row in self.models.items()
            if model not in REFERENCES
        }
        return {model: (count, asked) for model, count in seeds.items() if count < asked}

    def select(self, metrics: Sequence[str]) -> BenchmarkResult:
        """The result with these metrics alone, in this order.

        Raises:
            InputError: no model has one of them.
        """
        for name in metrics:
            if name not in self.metrics:
                raise unknown_name("metric", name, self.metrics)
        models = {
            model: replace(row, metrics={m: row.metrics[m] for m in metrics if m in row.metrics})
            for model, row in self.models.items()
        }
        paired: dict[str, dict[str, Comparison]] = {}
        for reference, others in self.paired.items():
            for other, found in others.items():
                chosen = {m: found.by_metric[m] for m in metrics if m in found.by_metric}
                if chosen:
                    first = next(iter(chosen))
                    kept = Comparison(first, chosen.pop(first), chosen, found.statistic)
                    paired.setdefault(reference, {})[other] = kept
        return replace(self, models=models, paired=paired)


def _add_members(content: dict[str, Any], extra: dict[str, Any]) -> None:
    """To the rows of a version that named members among a model's options alone."""
    with suppress(AttributeError, KeyError, TypeError):
        for model, known in extra["configuration"].items():
            content["models"][model].setdefault("members", known["options"].get("members", 1))


class _Extra(BaseModel):
    """Further entries of a result that reports go by."""

    fingerprint: str | None = None
    folds: int | None = None
    seeds: int | None = None
    features: dict[str, str] = {}
    configuration: dict[str, dict[str, Any]] = {}
    lacking: dict[str, dict[str, list[str] | list[int]]] = {}
    stress_about: dict[str, str] = {}
    stress_bands: dict[str, dict[str, list[tuple[float | None, float | None]]]] = {}
    left_out: dict[str, str] = {}


def check_extra(result: BenchmarkResult, source: Path) -> None:
    """Raise `InputError` naming `source` where a further entry is not what a benchmark writes."""
    try:
        _Extra.model_validate(result.extra)
    except ValidationError as error:
        remedy = "give a file that a benchmark wrote"
        raise invalid(error, "a benchmark's result", remedy=remedy, source=source) from None
