"""The sections of the report, each a function of the explanation to HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from affuse import __version__
from affuse.incongruity.explanation import Explanation, ModelFacts
from affuse.incongruity.robustness import SPOILINGS, Curve
from affuse.incongruity.spans import Span
from affuse.metrics.calibration import Reliability
from affuse.metrics.scores import heading
from affuse.report.charts import Line, interval, interval_rows, legend, line_chart, stacked, svg
from affuse.report.explanation_cases import cases, figure, table
from affuse.report.sentences import CONFLICT, leader, summarise
from affuse.tasks import Regression

MOST_CONFLICTS, MOST_ROWS = 20, 60
"""Rows of the tables of conflicts and of hard samples; the JSON file has them all."""


def gate(found: Explanation) -> str:
    known = found.model.gate
    if known is None:
        return f"<p>{escape(found.model.name)} has no gate.</p>"
    epochs = range(len(next(iter(known.history.values()))))
    lines = [
        Line(m, f"c{place}", list(epochs), weights)
        for place, (m, weights) in enumerate(known.history.items())
    ]
    over_time = line_chart(
        "Mean gate weight of each modality on validation, epoch by epoch",
        lines,
        "epoch (dashed: the one kept)",
        "gate weight",
        y_range=(0.0, 1.0),
        mark=known.best_epoch,
    )
    first = max(known.led, key=known.led.__getitem__)
    order = (-known.weights[first]).argsort(kind="stable")
    shares = {m: weights[order] for m, weights in known.weights.items()}
    by_sample = stacked(
        "Gate weights of each test sample", shares, f"test samples, by falling weight of {first}"
    )
    names = legend((m, f"c{place}") for place, m in enumerate(known.weights))
    rows = [
        [m, f"{known.mean[m]:.3f}", f"{known.led[m] / found.samples:.0%}"] for m in known.weights
    ]
    return (
        f'{names}<div class="charts">{figure(over_time, "Over training")}'
        f"{figure(by_sample, 'By sample')}</div>"
        + table("On the test part", ["modality", "mean weight", "leads"], rows, numbers=(1, 2))
    )


def hierarchy(found: Explanation) -> str:
    """The primary's stream, and what enters it, as wide as its weight."""
    known = found.model.gate
    blocks = () if found.model.latent is None else found.model.latent.blocks
    if known is None or not blocks:
        return f"<p>{escape(found.model.name)} has no hierarchy to draw.</p>"
    first = leader(found)
    assert first is not None
    others = sorted((m for m in known.mean if m != first), key=lambda m: -known.mean[m])
    colours = {m: f"c{place}" for place, m in enumerate(known.mean)}
    step, middle = 190.0, 150.0
    end = 110 + step * len(others)

    def stream(name: str, path: str, weight: float) -> str:
        return f'<path class="line {colours[name]}" style="stroke-width:{weight:.1f}" d="{path}"/>'

    parts = [
        stream(first, f"M100 {middle}H{end + 60}", 3 + 14 * known.mean[first]),
        f'<text class="strong end" x="92" y="{middle + 4}">{escape(first)}</text>',
        f'<text class="end" x="92" y="{middle + 20}">{known.mean[first]:.2f}, leads</text>',
        f'<text class="strong" x="{end + 68}" y="{middle + 4}">answer</text>',
    ]
    for place, name in enumerate(others):
        x = 110 + step * (place + 0.5)
        path = f"M{x} 50C{x} 100 {x + 20} {middle - 30} {x + 50} {middle}"
        damage = [
            b.refitted.summary().damage for b in blocks if (b.target, b.source) == (first, name)
        ]
        parts += [
            stream(name, path, 2 + 14 * known.mean[name]),
            f'<text class="strong mid" x="{x}" y="24">{escape(name)}</text>',
            f'<text class="mid" x="{x}" y="40">{known.mean[name]:.2f}</text>',
            f'<circle class="dot {colours[first]}" cx="{x + 50}" cy="{middle}" r="7"/>',
            f'<text class="mid" x="{x + 50}" y="{middle + 30}">damage</text>',
            f'<text class="mid" x="{x + 50}" y="{middle + 46}">'
            f"{interval(damage[0]) if damage else 'not examined'}</text>",
        ]
    words = f"{first} leads; {', then '.join(others)} enter by crossmodal attention"
    drawing = svg(words, end + 130, 210, parts)
    return figure(
        drawing,
        f"{words.capitalize()}. Numbers are mean gate weights; damage is what each entry "
        "costs, in the share of samples that the stream tells rightly (below zero: gain).",
        wide=True,
    )


def latent(found: Explanation) -> str:
    known = [m for m in found.models if m.latent is not None and m.latent.blocks]
    if not known:
        return "<p>No model here has crossmodal blocks that leave their latents.</p>"
    rows, drawn = [], {"damage": [], "flip_rate": []}  # type: ignore[var-annotated]
    for place, facts in enumerate(known):
        assert facts.latent is not None
        for block in facts.latent.blocks:
            kept, again = block.kept.summary(), block.refitted.summary()
            name = f"{facts.name}: {block.source} into {block.target}"
            for measure, entries in drawn.items():
                entries.append((name, f"c{3 * place}", getattr(again, measure)))
            values = [kept.flip_rate, again.flip_rate, kept.displacement, kept.damage, again.damage]
            rows.append([name, f"{kept.samples}", *map(interval, values)])
    header = ["block", "samples", "flips, kept probe", "flips, refitted"]
    header += ["displacement", "damage, kept", "damage, refitted"]
    return (
        "<p>A probe reads the tendency from a modality's own stream, and again from what each "
        "block leaves of it: the same probe (kept), or one of its own (refitted). Damage is the "
        "share of samples told rightly before and wrongly after, less the reverse.</p>"
        + '<div class="charts">'
        + figure(interval_rows("Signed damage of each block", drawn["damage"], "signed damage"), "")
        + figure(interval_rows("Flip rate of each block", drawn["flip_rate"], "flip rate"), "")
        + "</div>"
        + table("Every block, mean and 95% interval", header, rows, numbers=range(1, 7))
    )


def conflicts(found: Explanation) -> str:
    ranked = sorted((c for c in found.conflicts if c.pair), key=lambda c: -c.score)
    shown = [c for c in ranked if c.score >= CONFLICT][:MOST_CONFLICTS] or ranked[:5]
    place = {c.id: row for row, c in enumerate(found.conflicts)}
    rows = [
        [
            c.id,
            f"{c.score:.2f}",
            " against ".join(c.pair or ()),
            "; ".join(f"{m} {_spans(spans)}" for m, spans in c.spans.items()),
            found.labels[place[c.id]],
            found.answers[place[c.id]],
        ]
        for c in shown
    ]
    header = ["sample", "score", "modalities", "where it is heard", "label", "answer"]
    note = "" if found.truth is None else _truth(found)
    return note + table("The highest conflict scores", header, rows, numbers=(1,))


def _truth(found: Explanation) -> str:
    t = found.truth
    assert t is not None
    rows = [
        ["area under the curve", f"{t.auroc:.3f}"],
        ["right pair named", f"{t.pair_accuracy:.1%}"],
        ["overlap of spans", "—" if math.isnan(t.span_overlap) else f"{t.span_overlap:.2f}"],
        ["expected calibration error", f"{t.calibration_error:.3f}"],
    ]
    caption = f"Against the planted truth: {t.conflicts} conflicts in {t.samples} samples"
    return table(caption, ["measure", "value"], rows, numbers=(1,))


def _spans(spans: Sequence[Span]) -> str:
    return ", ".join(str(span) for span in spans[:3]) + (" …" if len(spans) > 3 else "")


def hard(found: Explanation) -> str:
    metrics = found.task.metrics[:4]
    sizes = {"all": found.samples, "hard": int(found.hard.mask.sum())}
    sizes["other"] = found.samples - sizes["hard"]
    scores = [
        [f"{m.name}, {part}", str(sizes[part]), *(f"{values[k]:.3f}" for k in metrics)]
        for m in found.models
        for part, values in m.scores.items()
    ]
    place = {c.id: row for row, c in enumerate(found.conflicts)}
    rows = [
        [
            h.id,
            h.text or "",
            found.labels[place[h.id]],
            found.answers[place[h.id]],
            "; ".join(f"{m}: {', '.join(leans)}" for m, leans in h.leanings.items()),
        ]
        for h in found.hard.samples[:MOST_ROWS]
    ]
    left = len(found.hard.samples) - len(rows)
    more = f'<p class="soft">and {left} more, in the JSON file</p>' if left else ""
    field = (
        '<p class="needs-script"><label>Filter <input type="search" data-filters="hard-rows">'
        "</label></p>"
    )
    header = ["sample", "words", "label", "answer", "clear leanings"]
    return (
        table(
            "Scores on slices", ["slice", "samples", *map(heading, metrics)], scores,
            numbers=range(1, 6),
        )
        + field
        + table("Hard samples", header, rows, key="hard-rows")
        + more
    )  # fmt: skip


def robustness(found: Explanation) -> str:
    metric = heading(found.model.robustness.metric)
    names = list(dict.fromkeys(c.modality for c in found.model.robustness.curves))
    keys = [(m, f"c{place}") for place, m in enumerate(names)]
    if found.against is not None:
        keys += [(f"dashed: {found.against.name}", "dashed")]
    charts = []
    for spoiling in SPOILINGS:
        lines = [
            _curve(facts, curve, f"c{names.index(curve.modality)}{' dashed' if place else ''}")
            for place, facts in enumerate(found.models)
            for curve in facts.robustness.curves
            if curve.spoiling == spoiling.name and curve.modality in names
        ]
        title = f"{metric} as a modality has {spoiling.name}"
        drawing = line_chart(title, lines, spoiling.unit, metric, size=(330.0, 210.0))
        charts.append(figure(drawing, spoiling.name.capitalize()))
    tried = found.model.robustness.samples
    return (
        f"<p>One modality of {tried} test samples is spoilt at a time; bands are 95% intervals.</p>"
        f'{legend(keys)}<div class="charts">{"".join(charts)}</div>'
    )


def _curve(facts: ModelFacts, curve: Curve, css: str) -> Line:
    clean = facts.robustness.clean
    scores = [clean, *curve.scores]
    return Line(
        f"{facts.name}, {curve.modality}",
        css,
        [0.0, *curve.levels],
        [score.mean for score in scores],
        [score.ci95 for score in scores],
    )


def calibration(found: Explanation) -> str:
    truth = "planted" if found.truth else "told by the labels"
    drawn = [_reliability("conflict score", f"conflicts {truth}", found.reliability, "c4")]
    words = ("answer", "mean label") if isinstance(found.task, Regression) else ("sure", "right")
    drawn += [
        _reliability(f"{words[0]}, {m.name}", words[1], m.reliability, f"c{3 * place}")
        for place, m in enumerate(found.models)
    ]
    return f'<div class="charts">{"".join(drawn)}</div>'


def _reliability(said: str, truth: str, found: Reliability, css: str) -> str:
    title = f"{said} against {truth}: mean distance {found.error:.3f}"
    line = Line(said, css, found.said, found.found)
    return figure(line_chart(title, [line], said, truth, diagonal=True), title)


SECTIONS = (
    ("gate", "Whom it trusts", gate),
    ("hierarchy", "How modalities enter", hierarchy),
    ("latent", "What crossmodal attention does", latent),
    ("conflicts", "Conflicts", conflicts),
    ("hard", "Hard samples", hard),
    ("robustness", "Spoilt input", robustness),
    ("calibration", "Calibration", calibration),
    ("samples", "Samples one by one", cases),
)


def page(found: Explanation) -> str:
    """The page's text."""
    links = "".join(f'<li><a href="#{key}">{title}</a></li>' for key, title, _ in SECTIONS)
    points = "".join(f"<li>{escape(line)}</li>" for line in summarise(found))
    names = " beside ".join(facts.name for facts in found.models)
    sizes = ", ".join(f"{m.name}: {m.parameters:,} parameters" for m in found.models)
    parts = [
        f"<header><div><h1>{escape(names)} on {escape(found.corpus)}</h1>"
        f'<p class="soft">{found.samples:,} test samples; {escape(sizes)}; '
        f"affuse {__version__}</p></div>"
        '<button id="theme" class="needs-script" type="button">Light or dark</button></header>',
        "<main>",
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>',
        f'<section class="summary" aria-label="Summary"><ul>{points}</ul></section>',
        *(
            f'<section id="{key}"><h2>{title}</h2>{render(found)}</section>'
            for key, title, render in SECTIONS
        ),
        "</main>",
        '<footer><p class="soft">Intervals are 95%, by the bootstrap over samples, of this one '
        "training. Definitions: the guide “Where modalities disagree” of affuse.</p></footer>",
    ]
    template = Template(
        (files("affuse.report") / "templates" / "explanation.html").read_text(encoding="utf-8")
    )
    return template.substitute(title=escape(f"{names}, {found.corpus}"), body="".join(parts))
