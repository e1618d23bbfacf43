"""What was found, in plain sentences made from the figures alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from affuse.metrics.scores import heading, higher_is_better

if TYPE_CHECKING:
    from affuse.incongruity.explanation import Explanation, ModelFacts
    from affuse.incongruity.robustness import RobustnessCurve
    from affuse.incongruity.tendency import Estimate

CONFLICT = 0.5
"""From this score on a sample is called a conflict."""


def summary_sentences(found: Explanation) -> list[str]:
    """The findings, most important first, a sentence or two each."""
    return [
        *_scores(found),
        *_gate(found.model),
        *_conflicts(found),
        *_hard(found),
        *(line for facts in found.models for line in _latent(facts, leader(found))),
        *(line for facts in found.models for line in _robustness(facts)),
        _calibration(found),
    ]


def first_of(facts: ModelFacts) -> str:
    """What attention and latents are of, where a model has members."""
    return f"of the {facts.members} members of {facts.name}, the first"


def leader(found: Explanation) -> str | None:
    """The modality that leads most samples, of the model that is explained; None without a gate."""
    gate = found.model.gate
    return None if gate is None else max(gate.led, key=gate.led.__getitem__)


def _scores(found: Explanation) -> Iterator[str]:
    metric = found.task.metrics[0]
    said = [f"{m.name} has {_score(m.scores['all'][metric])}" for m in found.models]
    if metric in found.trivial:
        said.append(f"always answering the same has {_score(found.trivial[metric])}")
    yield f"{heading(metric)} on {found.samples:,} test samples: {_listed(said)}."


def _gate(facts: ModelFacts) -> Iterator[str]:
    if facts.gate is None:
        yield f"{facts.name} has no gate: it does not say which modality it trusts."
        return
    (first, most), *others = sorted(facts.gate.mean.items(), key=lambda item: -item[1])
    total = sum(facts.gate.led.values())
    yield (
        f"{facts.name} trusts {first} most, with a mean weight of {most:.2f}; "
        f"{_listed([f'{m} has {weight:.2f}' for m, weight in others])}. "
        f"{first.capitalize()} leads {_share(facts.gate.led[first] / total)} of the samples."
    )


def _conflicts(found: Explanation) -> Iterator[str]:
    pairs = [tuple(sorted(c.pair)) for c in found.conflicts if c.pair and c.score >= CONFLICT]
    line = f"Modalities contradict each other in {_share(len(pairs) / found.samples)} of them"
    if pairs:
        often = max(set(pairs), key=pairs.count)
        share = _share(pairs.count(often) / len(pairs))
        line += f", most often {often[0]} and {often[1]} ({share} of these)"
    yield line + "."
    if found.truth is not None and math.isfinite(found.truth.auroc):
        yield (
            f"Where conflicts were planted, the score finds them with an area under the curve of "
            f"{found.truth.auroc:.3f}, and names the right pair in "
            f"{_share(found.truth.pair_accuracy)}."
        )


def _hard(found: Explanation) -> Iterator[str]:
    count = int(found.hard.mask.sum())
    if not count:
        yield "No sample is hard: no modality leans clearly against another or its label."
        return
    # An accuracy where there is one: it says most of samples that mislead.
    names = found.task.metrics
    metric = next((n for n in names if n.startswith("acc")), names[0])
    scored = [
        f"{m.name} has {_score(m.scores['hard'][metric])} there, "
        f"{_score(m.scores['other'][metric])} elsewhere"
        for m in found.models
        if "other" in m.scores
    ]
    yield (
        f"{count} samples ({_share(count / found.samples)}) are hard: a modality leans clearly "
        f"against another or against the label. {heading(metric)}: {_listed(scored)}."
    )


def _latent(facts: ModelFacts, target: str | None) -> Iterator[str]:
    if facts.latent is None or not facts.latent.blocks:
        yield f"Nothing crosses between modalities inside {facts.name} that could be examined."
        return
    target = target if any(b.target == target for b in facts.latent.blocks) else None
    overall = facts.latent.overall("refitted", None, target)
    whose = "each modality" if target is None else target
    yield (
        f"Crossmodal attention in {facts.name} turns the tendency of {whose} in "
        f"{_share(overall.flip_rate.mean)} of the samples; {_harm(overall.damage)}."
    )


def _harm(damage: Estimate) -> str:
    mean, low, high = (100 * value for value in (damage.mean, *damage.ci95))
    interval = f"points [{low:+.1f}, {high:+.1f}]"
    if low > 0 or high < 0:
        how = "wrong" if low > 0 else "right"
        return (
            f"what the stream tells is {how} more often afterwards, by {abs(mean):.1f} {interval}"
        )
    return f"harm and gain balance: damage {mean:+.1f} {interval}"


def _robustness(facts: ModelFacts) -> Iterator[str]:
    up = higher_is_better(facts.robustness.metric)

    def harm(curve: RobustnessCurve) -> float:
        change = curve.changes[-1].mean
        return -change if up else change

    curves = [c for c in facts.robustness.curves if math.isfinite(c.changes[-1].mean)]
    if not curves:
        return
    worst = max(curves, key=harm)
    if harm(worst) <= 0:
        yield f"No spoilt input lowers what {facts.name} scores."
        return
    yield (
        f"{facts.name} suffers most from {worst.modality} that is {SPOILT[worst.spoiling]}: "
        f"{heading(facts.robustness.metric)} goes from {_score(facts.robustness.clean.mean)} to "
        f"{_score(worst.scores[-1].mean)}."
    )


SPOILT = {
    "noise": "noisy",
    "shift": "shifted in time",
    "drop": "full of gaps",
    "missing": "missing",
    "swap": "another sample's",
}


def _calibration(found: Explanation) -> str:
    what = "what was planted" if found.truth else "what the labels reveal"
    return (
        f"As a probability, the conflict score is off by {100 * found.reliability.error:.1f} "
        f"points on average, held against {what}."
    )


def _score(value: float) -> str:
    return f"{value:.3f}"


def _share(value: float) -> str:
    return f"{100 * value:.0f}%" if value == 0 or value >= 0.01 else f"{100 * value:.1f}%"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
