"""Two benchmark results side by side: what differs, and whether scores come back."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from affuse.evaluation.statistics import Summary, paired_difference
from affuse.files import differences
from affuse.harness.results import BenchmarkResult
from affuse.metrics.scores import heading, higher_is_better

# Entries of a result that say what its data are, how they are used, and with which options.
_DATA = ("fingerprint", "features", "options")
_CONFIG = ("normalise", "seeds", "folds", "limit", "drop_shared", "settings")
_OPTIONS = "configuration"
ROUNDING = 1e-6
"""Scores closer than this are the same: sums taken in another order differ by less."""
LEVEL = 0.05

Pair = tuple[Any, Any]
Verdict = Literal["equal", "A better", "B better", "undecided"]
Reproduction = Literal["exactly", "within intervals", "no", "unknown"]
_UNKNOWN = (math.nan, math.nan)


@dataclass(frozen=True)
class Row:
    """One metric of a model that stands in both.

    Attributes:
        difference: B minus A.
        ci95: low and high of its 95% interval; nan for single seeds, whose spread is unknown.
        p: two-sided, of no difference; nan for single seeds that differ.
        paired: whether seeds were compared one by one, on the same test samples and folds, rather
            than as two groups.
    """

    model: str
    metric: str
    a: Summary
    b: Summary
    difference: float
    ci95: tuple[float, float]
    p: float
    paired: bool

    @property
    def equal(self) -> bool:
        """Whether the scores of all seeds are the same to the last digit."""
        return np.array_equal(self.a.runs, self.b.runs, equal_nan=True)

    @property
    def verdict(self) -> Verdict:
        """`equal` is exact; the others go by this row's interval alone."""
        if self.equal:
            return "equal"
        low, high = self.ci95
        if not (low > 0 or high < 0) or abs(self.difference) < ROUNDING:
            return "undecided"
        return "B better" if (low > 0) == higher_is_better(self.metric) else "A better"


@dataclass(frozen=True)
class SideBySide:
    """Results A and B.

    Attributes:
        names: of A and B, such as their folders.
        rows: every model and metric in both, in A's order; a model's headline metric first.
        only: models that A alone has, and those that B alone has.
        unfinished: of each, models that lack seeds, with how many they have and were asked for.
        data, config, version: what differs in them, as a path such as `options.layers`, to its
            values in A and B.
        same_data: whether the fingerprints are equal; None where one is not known.
    """

    names: tuple[str, str]
    corpora: tuple[str, str]
    commands: tuple[str, str]
    rows: tuple[Row, ...]
    only: tuple[tuple[str, ...], tuple[str, ...]]
    unfinished: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]
    data: dict[str, Pair]
    config: dict[str, Pair]
    version: dict[str, Pair]
    same_data: bool | None

    @property
    def reproduces(self) -> Reproduction:
        """Whether B's scores are A's.

        `exactly`: all seeds of all rows are equal. `no`: the headline metric of a model differs, at
        5% over all models together (Bonferroni). `unknown`: nothing is shared, the data are not
        known to be the same, or single seeds differ.
        """
        if not self.rows or not self.same_data:
            return "unknown"
        if all(row.equal for row in self.rows):
            return "exactly"
        if self.apart:
            return "no"
        alone = any(math.isnan(row.p) for row in self._headline)
        return "unknown" if alone else "within intervals"

    @property
    def apart(self) -> tuple[str, ...]:
        """Models whose headline metric differs, at 5% over all models together."""
        level = LEVEL / max(len(self._headline), 1)
        return tuple(row.model for row in self._headline if row.p < level)

    @property
    def _headline(self) -> list[Row]:
        return list({row.model: row for row in reversed(self.rows)}.values())[::-1]

    @property
    def summary(self) -> tuple[str, str]:
        """Two sentences: whether the two may be compared, and whether the scores come back."""
        return self._comparable(), self._reproduction()

    def _comparable(self) -> str:
        if self.same_data is None:
            return "It cannot be told whether the two are comparable: a fingerprint is missing."
        if not self.same_data:
            a, b = self.data["fingerprint"]
            return (
                f"NOT COMPARABLE: A and B stand on different data (fingerprint {a} against {b}); "
                "no difference between them can be put down to a model."
            )
        kinds = {"config": self.config, "version": self.version}
        differing = " and ".join(kind for kind, entries in kinds.items() if entries)
        if not differing:
            return "Comparable: data, config and versions are the same."
        return f"Comparable: the data are the same; they differ in {differing}, as listed."

    def _reproduction(self) -> str:
        if not self.rows:
            return "No model and metric stands in both."
        total, equal = len(self.rows), sum(row.equal for row in self.rows)
        better = sum("better" in row.verdict for row in self.rows)
        counts = (
            f"{equal} of {total} scores are equal for every seed, and {better} differences have a "
            "95% interval without zero"
        )
        metric = heading(self.rows[0].metric)
        together = "at 5% over all models together"
        why = " where the data are not known to be the same"
        if self.same_data:
            why = ", since a single seed has no interval"
        return {
            "exactly": f"The scores reproduce exactly: all {total} are equal for every seed.",
            "within intervals": f"The scores reproduce within their intervals: {metric} differs "
            f"for no model, {together}; {counts}.",
            "no": f"The scores do NOT reproduce: {metric} differs for {', '.join(self.apart)}, "
            f"{together}; {counts}.",
            "unknown": f"Whether the scores reproduce cannot be told{why}; {counts}.",
        }[self.reproduces]

    def to_dict(self) -> dict[str, Any]:
        """All of it, the summary and each row's verdict included."""
        rows = [{**asdict(row), "verdict": row.verdict} for row in self.rows]
        verdicts = {"summary": self.summary, "reproduces": self.reproduces}
        return {**verdicts, **asdict(self), "rows": rows}


def compare_results(
    a: BenchmarkResult, b: BenchmarkResult, names: tuple[str, str] = ("A", "B")
) -> SideBySide:
    """Set two results side by side.

    A row is paired where data, folds and seeds are the same and no seed is missing; otherwise its
    interval is that of `welch`.
    """
    prints = a.extra.get("fingerprint"), b.extra.get("fingerprint")
    same_data = None if None in prints else prints[0] == prints[1]
    asked = _asked(a) if same_data and _asked(a) == _asked(b) else None
    rows = (
        _row(model, metric, ours, b.models[model].metrics[metric], asked)
        for model, row in a.models.items()
        if model in b.models
        for metric, ours in row.metrics.items()
        if metric in b.models[model].metrics and ours.runs and b.models[model].metrics[metric].runs
    )
    return SideBySide(
        names=names,
        corpora=(a.corpus, b.corpus),
        commands=(a.command, b.command),
        rows=tuple(rows),
        only=(
            tuple(model for model in a.models if model not in b.models),
            tuple(model for model in b.models if model not in a.models),
        ),
        unfinished=(a.unfinished(), b.unfinished()),
        data=differences(_entries(a, _DATA), _entries(b, _DATA)),
        config=differences(_entries(a, _CONFIG), _entries(b, _CONFIG)) | _differing_options(a, b),
        version=differences(a.versions, b.versions),
        same_data=same_data,
    )


def welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, tuple[float, float], float]:
    """Welch's (1947) t-test for two groups, of two or more, of unequal variance.

    Returns:
        mean(b) - mean(a), its 95% interval and the two-sided p of no difference; the degrees of
        freedom are Satterthwaite's.
    """
    from scipy.stats import ttest_ind  # slow to import

    difference = float(np.mean(b) - np.mean(a))
    if np.ptp(a) == np.ptp(b) == 0:
        return difference, (difference, difference), float(difference == 0)
    with warnings.catch_warnings():
        # Runs of one group may be all the same.
        warnings.simplefilter("ignore", RuntimeWarning)
        found = ttest_ind(b, a, equal_var=False)
    low, high = found.confidence_interval()
    return difference, (float(low), float(high)), float(found.pvalue)


def _asked(result: BenchmarkResult) -> tuple[int, int] | None:
    """Folds and seeds, where the result says them."""
    folds, seeds = result.extra.get("folds"), result.extra.get("seeds")
    return (folds, seeds) if isinstance(folds, int) and isinstance(seeds, int) else None


def _row(model: str, metric: str, a: Summary, b: Summary, asked: tuple[int, int] | None) -> Row:
    """`asked`: folds and seeds that both were asked for, on the same data."""
    paired = asked is not None and asked[1] == len(a.runs) == len(b.runs)
    single = 1 in (len(a.runs), len(b.runs))
    if paired:
        found = paired_difference(b.runs, a.runs)
        difference, ci95, p = found.mean, _UNKNOWN if single else found.ci95, found.p
    elif single:
        difference, ci95, p = b.mean - a.mean, _UNKNOWN, math.nan
    else:
        difference, ci95, p = welch(a.runs, b.runs)
    same = len(a.runs) == len(b.runs) and np.allclose(
        a.runs, b.runs, rtol=0, atol=ROUNDING, equal_nan=True
    )
    return Row(model, metric, a, b, difference, ci95, 1.0 if same else p, paired)


def _entries(result: BenchmarkResult, names: Sequence[str]) -> dict[str, Any]:
    return {name: result.extra.get(name) for name in names}


def _differing_options(a: BenchmarkResult, b: BenchmarkResult) -> dict[str, Pair]:
    """Each option with the models in which it differs alike."""
    found: dict[tuple[str, str], tuple[list[str], Pair]] = {}
    for model, row in a.models.items():
        if row.metrics and model in b.models and b.models[model].metrics:
            for path, pair in differences(_options(model, a, b), _options(model, b, a)).items():
                found.setdefault((path, repr(pair)), ([], pair))[0].append(model)
    return {f"{path} of {', '.join(models)}": pair for (path, _), (models, pair) in found.items()}


def _options(model: str, result: BenchmarkResult, other: BenchmarkResult) -> dict[str, Any]:
    """Its parameters and, where both results say them, its options and those of training."""
    known = _OPTIONS in result.extra and _OPTIONS in other.extra
    options = result.extra[_OPTIONS].get(model, {}) if known else {}
    return {"parameters": result.models[model].parameters, **options}
