"""Ablations of HCT-MG: benchmarks of it whole, and with one thing changed at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from affuse.harness import REFERENCE
from affuse.harness.records import read_about
from affuse.harness.request import Request
from affuse.harness.results import BenchmarkResult
from affuse.harness.run import run_benchmark
from affuse.incongruity.hard import HardIds
from affuse.progress import OnWork
from affuse.shown import Shown


@dataclass(frozen=True)
class Ablation:
    """One row of an ablation table: the question that it answers, and its settings."""

    name: str
    question: str
    settings: dict[str, Any] = field(default_factory=dict)


_GATES = {
    "agreement": "what if each sample were read by who agrees with whom?",
    "paper": "does measuring contribution beat learning it by the gate loss?",
    "paper-data": "and by what the last steps of the streams say?",
    "paper-scale": "and by the scaling of streams alone?",
}


@dataclass(frozen=True, repr=False)
class Ablations(Shown):
    """What each ablation scored; the first is the whole model."""

    corpus: str
    seeds: int
    rows: tuple[tuple[Ablation, BenchmarkResult], ...]

    def _summary(self) -> str:
        return f"{self.corpus!r}, {', '.join(ablation.name for ablation, _ in self.rows)}"

    def to_dict(self) -> dict[str, Any]:
        """What `affuse ablate --json` writes."""
        return {"corpus": self.corpus, "seeds": self.seeds, "ablations": self.to_records()}

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each ablation."""
        return [{**asdict(ablation), **_scores(result)} for ablation, result in self.rows]


def _scores(result: BenchmarkResult) -> dict[str, Any]:
    scores = result.models[REFERENCE].metrics
    plain = {m: {"mean": s.mean, "std": s.std, "ci95": s.ci95} for m, s in scores.items()}
    return {"metrics": plain, **({"hard": result.extra["hard"]} if "hard" in result.extra else {})}


def ablations(modalities: Sequence[str]) -> list[Ablation]:
    """All ablations for a corpus with these modalities; the first is the whole model."""
    gate, granularity = f"{REFERENCE}.gate", f"{REFERENCE}.granularity"
    dropout = {f"{REFERENCE}.modality_dropout": 0.0}
    return [
        Ablation("whole", "what is compared with"),
        *(Ablation(f"gate={name}", question, {gate: name}) for name, question in _GATES.items()),
        *(
            Ablation(f"gate=fixed:{m}", f"what if {m} always led?", {gate: f"fixed:{m}"})
            for m in modalities
        ),
        *(
            Ablation(f"granularity={g}", f"does a primary for each {g} help?", {granularity: g})
            for g in ("batch", "sample")
        ),
        Ablation("modality_dropout=0", "is hiding modalities in training needed?", dropout),
    ]


def run_ablations(
    request: Request,
    folder: Path,
    on_work: OnWork = lambda *_: None,
    *,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Ablations:
    """Benchmark HCT-MG with each ablation, each in a folder of its own in `folder`.

    Args:
        request: corpus, seeds and settings; its models are not asked for.
        on_work: told epochs done and in all of an ablation, and which it is.
    """
    asked = replace(request, models=(REFERENCE,), singles=False)
    chosen = ablations(asked.load().modalities)
    told: set[str] = set()

    def notice(line: str) -> None:
        """Told once, and not by each ablation."""
        if line not in told:
            told.add(line)
            on_notice(line)

    found: list[tuple[Ablation, BenchmarkResult]] = []
    hard: HardIds | None = None
    for number, ablation in enumerate(chosen, start=1):
        title = f"{ablation.name} ({number} of {len(chosen)})"
        place = folder / ablation.name.replace(":", "-")
        result, _ = run_benchmark(
            replace(asked, settings={**asked.settings, **ablation.settings}),
            place,
            lambda done, total, _, title=title: on_work(done, total, title),  # type: ignore[misc]
            hard=hard,
            on_notice=notice,
        )
        # They follow from the data: those of the first are those of all.
        hard = hard or read_about(place).hard
        found.append((ablation, result))
    return Ablations(found[0][1].corpus, request.seeds, tuple(found))
