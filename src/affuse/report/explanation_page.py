"""The explanation of a checkpoint as a page: what each section of its template shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from affuse import __version__
from affuse.incongruity.cases import Case
from affuse.incongruity.explanation import Explanation, ModelFacts
from affuse.incongruity.robustness import SPOILINGS, RobustnessCurve
from affuse.metrics.calibration import Reliability
from affuse.metrics.scores import heading
from affuse.report import charts
from affuse.report.case_media import CaseMedia, timed
from affuse.report.charts import Drawing, Line, colours, interval, line_chart
from affuse.report.pages import render_page
from affuse.report.sentences import CONFLICT, first_of, leader, summary_sentences
from affuse.tasks import Continuous

MOST_CONFLICTS, MOST_ROWS = 20, 60
"""Rows of the tables of conflicts and of hard samples; the JSON file has them all."""
MODELS = ("c0", "c4")
"""Colours of the model and of the one beside it."""

View = dict[str, Any]


def _gate(found: Explanation) -> View | None:
    """Weights over training and by sample; None without a gate."""
    known = found.model.gate
    if known is None:
        return None
    css = colours(known.weights)
    over_time = line_chart(
        "Mean gate weight of each modality on validation, epoch by epoch",
        [Line(m, css[m], range(len(ws)), ws) for m, ws in known.history.items()],
        "epoch (dashed: the one kept)",
        "gate weight",
        y_range=(0.0, 1.0),
        mark=known.best_epoch,
    )
    first = max(known.led, key=known.led.__getitem__)
    order = (-known.weights[first]).argsort(kind="stable")
    shares = {m: weights[order] for m, weights in known.weights.items()}
    below = f"test samples, by falling weight of {first}"
    by_sample = charts.stacked("Gate weights of each test sample", shares, css, below)
    return {
        "css": css,
        "charts": [("Over training", over_time), ("By sample", by_sample)],
        "rows": [
            [m, f"{known.mean[m]:.3f}", f"{known.led[m] / found.samples:.0%}"]
            for m in known.weights
        ],
    }


def _hierarchy(found: Explanation) -> View | None:
    """The primary's stream, and what enters it; None where nothing does."""
    known, latent_facts, first = found.model.gate, found.model.latent, leader(found)
    if known is None or first is None or latent_facts is None or not latent_facts.blocks:
        return None
    mean, css = known.mean, colours(known.mean)
    others = sorted((m for m in mean if m != first), key=lambda m: -mean[m])
    damage = {
        b.source: interval(b.refitted.summary().damage)
        for b in reversed(latent_facts.blocks)
        if b.target == first
    }
    words = f"{first} leads; {', then '.join(others)} enter by crossmodal attention"
    return {"first": first, "others": others, "mean": mean, "css": css, "damage": damage,
            "words": words}  # fmt: skip


def _latent(found: Explanation) -> View | None:
    """What each crossmodal block does; None where no model has any."""
    rows: list[list[str]] = []
    damage, flips = [], []
    for facts, css in zip(found.models, MODELS, strict=False):
        for block in () if facts.latent is None else facts.latent.blocks:
            kept, again = block.kept.summary(), block.refitted.summary()
            name = f"{facts.name}: {block.source} into {block.target}"
            damage.append((name, css, again.damage))
            flips.append((name, css, again.flip_rate))
            values = [kept.flip_rate, again.flip_rate, kept.displacement, kept.damage, again.damage]
            rows.append([name, f"{kept.samples}", *map(interval, values)])
    if not rows:
        return None
    drawn = [
        ("", charts.interval_rows("Signed damage of each block", damage, "signed damage")),
        ("", charts.interval_rows("Flip rate of each block", flips, "flip rate")),
    ]
    return {"charts": drawn, "rows": rows}


def _conflicts(found: Explanation) -> View:
    """The highest scores, and how these compare with what was planted."""
    ranked = sorted((c for c in found.conflicts if c.pair), key=lambda c: -c.score)
    shown = _label_and_answer(found)
    rows = [
        [
            c.id,
            f"{c.score:.2f}",
            " against ".join(c.pair or ()),
            "; ".join(
                f"{m} {', '.join(map(str, spans[:3]))}{' …' if len(spans) > 3 else ''}"
                for m, spans in c.spans.items()
            ),
            *shown[c.id],
        ]
        for c in [c for c in ranked if c.score >= CONFLICT][:MOST_CONFLICTS] or ranked[:5]
    ]
    truth = found.truth
    overlap = math.nan if truth is None else truth.span_overlap
    shown_overlap = "—" if math.isnan(overlap) else f"{overlap:.2f}"
    return {"rows": rows, "truth": truth, "overlap": shown_overlap}


def _hard(found: Explanation) -> View:
    """Scores on slices, and the hard samples."""
    metrics, count = found.task.metrics[:4], int(found.hard.mask.sum())
    sizes = {"all": found.samples, "hard": count, "other": found.samples - count}
    shown, samples = _label_and_answer(found), found.hard.samples
    return {
        "metrics": [heading(metric) for metric in metrics],
        "scores": [
            [f"{m.name}, {part}", str(sizes[part]), *(f"{values[k]:.3f}" for k in metrics)]
            for m in found.models
            for part, values in m.scores.items()
        ],
        "rows": [
            [
                h.id,
                h.text or "",
                *shown[h.id],
                "; ".join(f"{m}: {', '.join(leans)}" for m, leans in h.leanings.items()),
            ]
            for h in samples[:MOST_ROWS]
        ],
        "left": max(len(samples) - MOST_ROWS, 0),
    }


def _robustness(found: Explanation) -> View:
    """Scores under spoilt input, a chart for each way to spoil it."""
    own = found.model.robustness
    css, metric = colours(dict.fromkeys(c.modality for c in own.curves)), heading(own.metric)
    drawn = []
    for spoiling in SPOILINGS:
        lines = [
            _curve(facts, curve, css[curve.modality] + (" dashed" if place else ""))
            for place, facts in enumerate(found.models)
            for curve in facts.robustness.curves
            if curve.spoiling == spoiling.name and curve.modality in css
        ]
        title = f"{metric} as a modality has {spoiling.name}"
        drawing = line_chart(title, lines, spoiling.unit, metric)
        drawn.append((spoiling.name.capitalize(), drawing))
    beside = {} if found.against is None else {f"dashed: {found.against.name}": "dashed"}
    return {"samples": own.samples, "css": {**css, **beside}, "charts": drawn}


def _curve(facts: ModelFacts, curve: RobustnessCurve, css: str) -> Line:
    name, scores = f"{facts.name}, {curve.modality}", [facts.robustness.clean, *curve.scores]
    means, bands = [score.mean for score in scores], [score.ci95 for score in scores]
    return Line(name, css, [0.0, *curve.levels], means, bands)


def _calibration(found: Explanation) -> View:
    """What is said with which probability, against how often it holds."""
    truth = "planted" if found.truth else "told by the labels"
    drawn = [_reliability("conflict score", f"conflicts {truth}", found.reliability, "conflict")]
    words = ("answer", "mean label") if isinstance(found.task, Continuous) else ("sure", "right")
    drawn += [
        _reliability(f"{words[0]}, {m.name}", words[1], m.reliability, css)
        for m, css in zip(found.models, MODELS, strict=False)
    ]
    return {"charts": drawn}


def _reliability(said: str, truth: str, found: Reliability, css: str) -> tuple[str, Drawing]:
    title = f"{said} against {truth}: mean distance {found.error:.3f}"
    line = Line(said, css, found.said, found.found)
    return title, line_chart(title, [line], said, truth, diagonal=True)


def _cases(found: Explanation, media: Mapping[str, CaseMedia]) -> list[View]:
    """Every chosen sample: answers, where each modality is heard, and attention."""
    return [_case(found, case, media.get(case.id)) for case in found.cases]


def _case(found: Explanation, case: Case, media: CaseMedia | None) -> View:
    conflict = case.conflict
    named = conflict.pair is not None and conflict.score >= CONFLICT
    pair = f", {' against '.join(conflict.pair or ())}" if named else ""
    facts = {
        "words": case.text,
        "label": case.label,
        f"answer of {found.model.name}": case.answer,
        "each alone": ", ".join(f"{m}: {said}" for m, said in case.own.items()),
        "gate": ", ".join(f"{m} {weight:.2f}" for m, weight in case.gate.items()),
        "conflict score": f"{conflict.score:.2f}{pair}",
    }
    maps = []
    for shown in case.maps:
        title = f"What {shown.target} (rows) attends to in {shown.source} (columns)"
        times = ((), ()) if media is None else (shown.target_times, shown.source_times)
        names = shown.target_steps, shown.source_steps
        drawing = charts.heat_map(title, shown.weights, *names, times)
        maps.append((f"{title}; block {shown.block}", drawing))
    return {
        "id": case.id,
        "why": case.why,
        "facts": facts,
        "lanes": [_lane(case, m) for m in conflict.spans] if media is None else timed(case, media),
        "media": media,
        "maps": maps,
    }


def _lane(case: Case, modality: str) -> tuple[str, Drawing, str]:
    """The stretches of a modality that carry what it says, and when or where it ends."""
    steps, until = case.steps.get(modality, 1), case.ends.get(modality)
    css = colours(case.steps)[modality]
    bars = [charts.Bar(s.first, s.last, css, str(s)) for s in case.conflict.spans[modality]]
    words = f"Stretches of {modality} that carry what it says"
    drawing = charts.timeline(words, bars, max(steps, 1), height=24.0)
    return modality, drawing, f"{steps} steps" if until is None else f"{until:.1f} s"


def _label_and_answer(found: Explanation) -> dict[str, tuple[str, str]]:
    """Label and answer of each sample."""
    each = zip(found.conflicts, found.labels, found.answers, strict=True)
    return {c.id: (label, answer) for c, label, answer in each}


SECTIONS = (
    ("gate", "Whom it trusts", _gate),
    ("hierarchy", "How modalities enter", _hierarchy),
    ("latent", "What crossmodal attention does", _latent),
    ("conflicts", "Conflicts", _conflicts),
    ("hard", "Hard samples", _hard),
    ("robustness", "Spoilt input", _robustness),
    ("calibration", "Calibration", _calibration),
)
_SAMPLES = "samples", "Samples one by one"


def explanation_page(found: Explanation, media: Mapping[str, CaseMedia] | None = None) -> str:
    """The text of the page.

    Args:
        media: what is played of samples, by their ids; by default none is.
    """
    sections = [(key, title, view(found)) for key, title, view in SECTIONS]
    return render_page(
        "explanation.html",
        found=found,
        names=" beside ".join(facts.name for facts in found.models),
        version=__version__,
        summary=summary_sentences(found),
        members=[first_of(facts) for facts in found.ensembles],
        sections=[*sections, (*_SAMPLES, _cases(found, media or {}))],
        plays=bool(media),
    )
