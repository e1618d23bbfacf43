"""Answers as a page with the timeline: one file, no scripts, light and dark."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from affuse.report.answer_files import affect_line, top_emotion, words_in

Content = Mapping[str, Any]

WIDTH, HEIGHT = 1000.0, 90.0
"""Of a chart, in its own units."""

HUES = (210, 25, 130, 0, 275, 50, 320, 175, 95, 240)
"""Of classes and modalities in their order, where `KNOWN` has none; neighbours are far apart."""

KNOWN = {
    "happy": 45,
    "sad": 215,
    "angry": 0,
    "fear": 275,
    "disgust": 95,
    "surprise": 320,
    "text": 210,
    "audio": 25,
    "vision": 165,
}
"""Hues of common classes, those that most readers expect, and of the modalities."""

GREY = "neutral"
"""The class without a hue."""


def to_html(content: Content) -> str:
    """The page of one clip, from its JSON content."""
    style = (files("affuse.report") / "templates" / "prediction.css").read_text()
    name = html.escape(content["file"])
    charts = "\n".join(_charts(content))
    made = ", ".join(f"{m}: {version}" for m, version in content["extractors"].items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name} — affuse</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{name}</h1>
<p class="answer">{html.escape(affect_line(content))}</p>
<p>{_time(content["duration"])}, {len(content["timeline"])} windows. Checkpoint:
{html.escape(", ".join(content["checkpoint"]))}.</p>
{charts}
<h2>Windows</h2>
{_table(content)}
<footer>
<p>The answer says how people who watched the clip might label it. It is no measurement of what
anybody feels, thinks or intends; do not decide about people by it.</p>
<p>{html.escape(made)}</p>
</footer>
</main>
</body>
</html>
"""


def _charts(content: Content) -> list[str]:
    timeline, end = content["timeline"], max(content["duration"], 1e-3)
    charts = []
    values = [w["sentiment"] for w in timeline]
    if any(value is not None for value in values):
        most = max(abs(value) for value in values if value is not None) or 1.0
        limit = 3.0 if most <= 3 else most
        charts.append(_figure("Sentiment", _signed(timeline, end, limit), end, ()))
    for title, key in (("Emotion", "emotion"), ("Gate weights", "gate")):
        names = list(dict.fromkeys(name for w in timeline for name in w[key] or ()))
        if names:
            charts.append(_figure(title, _stacked(timeline, end, key, names), end, names))
    told = [w for w in timeline if w["conflict"] is not None]
    if told:
        bars = [_bar(w, end, w["conflict"], 0.0, "--hue:0", f"{w['conflict']:.0%}") for w in told]
        charts.append(_figure("Conflict between modalities", bars, end, ()))
    return charts


def _figure(title: str, marks: Sequence[str], end: float, names: Sequence[str]) -> str:
    keys = "".join(
        f'<li><span class="key" style="{_colour(name, i)}"></span>{html.escape(name)}</li>'
        for i, name in enumerate(names)
    )
    legend = f'<ul class="keys">{keys}</ul>' if keys else ""
    return f"""<figure>
<figcaption>{html.escape(title)}</figcaption>
<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img"
aria-label="{html.escape(title)} over time; the table below has the numbers">
{"".join(marks)}
</svg>
<div class="axis"><span>0:00</span><span>{_time(end / 2)}</span><span>{_time(end)}</span></div>
{legend}
</figure>"""


def _signed(timeline: Sequence[Content], end: float, limit: float) -> list[str]:
    """Bars up and down from the middle."""
    marks = []
    for window in timeline:
        value = window["sentiment"]
        if value is not None:
            size = min(abs(value) / limit, 1.0) / 2
            low = 0.5 if value >= 0 else 0.5 - size
            colour = "--hue:130" if value >= 0 else "--hue:0"
            marks.append(_bar(window, end, size, low, colour, f"{value:+z.2f}"))
    middle = HEIGHT / 2
    return [*marks, f'<line class="zero" x1="0" x2="{WIDTH:g}" y1="{middle:g}" y2="{middle:g}"/>']


def _stacked(timeline: Sequence[Content], end: float, key: str, names: Sequence[str]) -> list[str]:
    """Shares one upon the other; several labels, which need not sum to one, are scaled to fit."""
    marks = []
    for window in timeline:
        shares, low = window[key] or {}, 0.0
        total = max(sum(shares.values()), 1.0)
        for number, name in enumerate(names if shares else ()):
            share = shares.get(name, 0.0)
            colour = _colour(name, number)
            marks.append(_bar(window, end, share / total, low, colour, f"{name} {share:.0%}"))
            low += share / total
    return marks


def _colour(name: str, number: int) -> str:
    """Of the class or modality that has this place among those of its chart."""
    hue = KNOWN.get(name, HUES[number % len(HUES)])
    return f"--hue:{hue}" + (";--saturation:0%" if name == GREY else "")


def _bar(window: Content, end: float, size: float, low: float, colour: str, title: str) -> str:
    """A rectangle over a window: `size` high from `low` on, both shares of the chart's height."""
    x = WIDTH * window["start"] / end
    width = max(WIDTH * (window["end"] - window["start"]) / end, 1.0)
    y, height = HEIGHT * (1 - low - size), HEIGHT * size
    label = f"{_time(window['start'])} to {_time(window['end'])}: {title}"
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" '
        f'style="{colour}"><title>{html.escape(label)}</title></rect>'
    )


def _table(content: Content) -> str:
    rows = "\n".join(_row(content, window) for window in content["timeline"])
    return f"""<div class="wide"><table>
<thead><tr><th>time</th><th>sentiment</th><th>emotion</th><th>primary</th><th>conflict</th>
<th>words</th></tr></thead>
<tbody>
{rows}
</tbody>
</table></div>"""


def _row(content: Content, window: Content) -> str:
    top = top_emotion(window)
    cells = [
        f"{_time(window['start'])} to {_time(window['end'])}",
        "" if window["sentiment"] is None else f"{window['sentiment']:+z.2f}",
        "" if top is None else f"{top} {window['emotion'][top]:.0%}",
        window["primary"] or "",
        "" if window["conflict"] is None else f"{window['conflict']:.0%}",
        " ".join(word["word"] for word in words_in(content["words"], window)),
    ]
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
