"""Figures of pages, as drawings: marks with attributes, which `figures.html` writes as SVG.

Nothing here is markup, so that names and words from strangers are escaped in one place. Colours are
classes of the style sheet, which has each for light and dark.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from affuse.report.shades import png_of

if TYPE_CHECKING:
    from affuse.incongruity.tendency import Estimate
    from affuse.tasks import Floats

LEFT, RIGHT, TOP, BOTTOM, CHARACTER = 46.0, 14.0, 10.0, 34.0, 6.0
SIZE = (336.0, 216.0)
"""Of a chart; three of them stand side by side."""
MOST_COLUMNS = 300
_EMOTIONS = ("neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
KNOWN = frozenset(("text", "audio", "vision", *_EMOTIONS))
"""Names whose colour is always the same: that which most readers expect."""


class Mark(NamedTuple):
    """An element of a drawing: its text is shown, its title appears on hovering."""

    tag: str
    attributes: Mapping[str, object]
    text: str = ""
    title: str = ""


class Drawing(NamedTuple):
    """Marks within width and height; the title says in words what is shown.

    One that is `stretched` takes the width of the page and keeps its height.
    """

    title: str
    width: float
    height: float
    marks: Sequence[Mark]
    stretched: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a chart, with a band where `band` is given, one pair a point.

    Attributes:
        name: of its points, on hovering.
        css: classes, such as `text dashed`.
        x, y: points; a nan breaks the line. Without y there is the band alone.
        band: low and high at each point.
    """

    name: str
    css: str
    x: Sequence[float]
    y: Sequence[float]
    band: Sequence[tuple[float, float]] = ()


class Bar(NamedTuple):
    """A stretch of time: `size` high from `low` on, both shares of the height."""

    start: float
    end: float
    css: str
    title: str
    size: float = 1.0
    low: float = 0.0


def colours(names: Iterable[str]) -> dict[str, str]:
    """The class of each modality or emotion of a figure."""
    return {n: n if n in KNOWN else f"c{place % 10}" for place, n in enumerate(names)}


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    y_range: tuple[float, float] | None = None,
    x_ticks: bool = True,
    mark: float | None = None,
    diagonal: bool = False,
) -> Drawing:
    """Lines over a common axis.

    Args:
        y_range: of the axis; all that is drawn by default.
        x_ticks: whether the axis has numbers.
        mark: an x at which a vertical line stands.
        diagonal: whether to draw y = x.
    """
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in (*line.y, *(end for b in line.band for end in b))]
    frame = _Frame(xs, ys if y_range is None else y_range)
    marks = [*frame.axes(x_label, y_label, x_ticks=x_ticks)]
    if mark is not None:
        marks.append(frame.path("mark", (mark, mark), frame.y_range))
    if diagonal:
        (x0, x1), (y0, y1) = frame.x_range, frame.y_range
        ends = max(x0, y0), min(x1, y1)
        marks.append(frame.path("mark", ends, ends))
    for line in lines:
        if line.band:
            low, high = zip(*line.band, strict=True)
            ring = (*line.x, *reversed(line.x)), (*low, *reversed(high))
            marks.append(frame.path(f"band {line.css}", *ring, closed=True))
        if line.y:
            marks.append(frame.path(f"line {line.css}", line.x, line.y))
        if len(line.y) < 20:
            marks += [
                frame.dot(line.css, x, y, 2.5, f"{line.name}: {x:.3g}, {y:.3g}")
                for x, y in zip(line.x, line.y, strict=False)
                if math.isfinite(y)
            ]
    return Drawing(title, *SIZE, marks)


def stacked(
    title: str, shares: Mapping[str, Floats], css: Mapping[str, str], x_label: str
) -> Drawing:
    """Shares `(N,)` that sum to one, one column a sample, at most 300 of them."""
    count = len(next(iter(shares.values())))
    columns = min(count, MOST_COLUMNS)
    chosen = [round(i * (count - 1) / max(columns - 1, 1)) for i in range(columns)]
    xs = [(i + side) / columns for i in range(columns) for side in (0, 1)]
    below, lines = np.zeros(2 * columns), []
    for name, values in shares.items():
        above = below + np.repeat(values[chosen], 2)
        band = [*zip(below.tolist(), above.tolist(), strict=True)]
        lines.append(Line(name, f"area {css[name]}", xs, (), band))
        below = above
    return line_chart(title, lines, x_label, "gate weight", y_range=(0.0, 1.0), x_ticks=False)


def interval_rows(title: str, rows: Sequence[tuple[str, str, Estimate]], x_label: str) -> Drawing:
    """A mean and its interval a row, about zero: name, classes, estimate."""
    ends = [0.0, *(end for _, _, e in rows for end in (e.mean, *e.ci95))]
    left = 14 + CHARACTER * max(len(name) for name, _, _ in rows)
    size = left + 270, 24.0 * len(rows) + TOP + BOTTOM
    frame = _Frame(ends, (len(rows), 0.0), size, left)
    marks = [*frame.axes(x_label), frame.path("mark", (0.0, 0.0), frame.y_range)]
    for place, (name, css, found) in enumerate(rows):
        row = len(rows) - place - 0.5
        marks.append(_text(name, "end", left - 8, frame.y(row) + 4))
        if math.isfinite(found.mean):
            marks.append(frame.path(f"line {css}", found.ci95, (row, row)))
            marks.append(frame.dot(css, found.mean, row, 4, f"{name}: {interval(found)}"))
    return Drawing(title, *size, marks)


def heat_map(
    title: str,
    values: Floats,
    rows: Sequence[str],
    columns: Sequence[str],
    times: tuple[Sequence[float], Sequence[float]] = ((), ()),
) -> Drawing:
    """Values `(T, S)` as shades, the largest the darkest, with the names of both axes.

    Args:
        times: when rows and columns begin, in seconds; a script may then mark those of the moment.
    """
    rows, columns = [[_short(name) for name in names] for names in (rows, columns)]
    cell = max(5.0, min(18.0, 320.0 / max(len(rows), len(columns), 1)))
    left, below = (12 + CHARACTER * max(map(len, names), default=0) for names in (rows, columns))
    place = {"x": left, "y": 4, "width": cell * len(columns), "height": cell * len(rows)}
    picture = base64.b64encode(png_of(values / (float(values.max()) or 1.0))).decode()
    source = {"preserveAspectRatio": "none", "href": f"data:image/png;base64,{picture}"}
    marks = [Mark("image", {**place, **source}), Mark("rect", {"class": "box", **place})]
    for axis, seconds in zip(("y", "x"), times, strict=True):
        if seconds:
            size = {"y": "height", "x": "width"}[axis]
            said = {"data-axis": axis, "data-times": " ".join(f"{t:.3f}" for t in seconds)}
            marks.append(Mark("rect", {"class": "now", **place, size: cell, **said}))
    every = math.ceil(13 / cell)
    marks += [
        _text(rows[r], "end", left - 5, 8 + (r + 0.5) * cell) for r in range(0, len(rows), every)
    ]
    for c in range(0, len(columns), every):
        x, y = left + (c + 0.5) * cell + 4, 14 + cell * len(rows)
        marks.append(_text(columns[c], "end", x, y, turned=-60))
    return Drawing(title, left + cell * len(columns) + 8, 4 + cell * len(rows) + below, marks)


def timeline(
    title: str, bars: Iterable[Bar], end: float, *, height: float = 90.0, middle: bool = False
) -> Drawing:
    """Bars from 0 to `end`, with a line at half the height where `middle` is asked for."""
    marks = []
    for bar in bars:
        x, width = (1000 * value / end for value in (bar.start, bar.end - bar.start))
        y = height * (1 - bar.low - bar.size)
        place = {"x": x, "width": max(width, 1.0), "y": y, "height": height * bar.size}
        rounded = {name: round(value, 2) for name, value in place.items()}
        marks.append(Mark("rect", {"class": f"area {bar.css}", **rounded}, title=bar.title))
    if middle:
        marks.append(Mark("path", {"class": "axis", "d": f"M0 {height / 2:g}H1000"}))
    return Drawing(title, 1000, height, marks, stretched=True)


def interval(found: Estimate) -> str:
    """A mean with its interval in words."""
    low, high = found.ci95
    return f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]" if math.isfinite(found.mean) else "—"


class _Frame:
    """The part of a drawing that has axes, and the ranges of data on it."""

    def __init__(
        self,
        xs: Iterable[float],
        ys: Iterable[float],
        size: tuple[float, float] = SIZE,
        left: float = LEFT,
    ) -> None:
        self.x_range, self.y_range = _range(xs), _range(ys)
        self.left, self.right, self.base = left, size[0] - RIGHT, size[1] - BOTTOM

    def x(self, value: float) -> float:
        low, high = self.x_range
        return round(self.left + (value - low) / (high - low) * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return round(self.base - (value - low) / (high - low) * (self.base - TOP), 1)

    def path(
        self, css: str, xs: Iterable[float], ys: Iterable[float], *, closed: bool = False
    ) -> Mark:
        """Straight lines from point to point; one that is not finite breaks them."""
        found, pen = [], "M"
        for x, y in zip(xs, ys, strict=True):
            known = math.isfinite(x) and math.isfinite(y)
            found += [f"{pen}{self.x(x)} {self.y(y)}"] if known else []
            pen = "L" if known else "M"
        return Mark("path", {"class": css, "d": "".join(found) + ("Z" if closed else "")})

    def dot(self, css: str, x: float, y: float, radius: float, title: str) -> Mark:
        place = {"cx": self.x(x), "cy": self.y(y), "r": radius}
        return Mark("circle", {"class": f"dot {css}", **place}, title=title)

    def axes(self, x_label: str, y_label: str = "", *, x_ticks: bool = True) -> Iterable[Mark]:
        """Both, and a grid where the vertical one has a name."""
        for tick in _ticks(*self.y_range) if y_label else ():
            yield self.path("grid", self.x_range, (tick, tick))
            yield _text(f"{tick:g}", "end", self.left - 5, self.y(tick) + 4)
        for tick in _ticks(*self.x_range) if x_ticks else ():
            yield _text(f"{tick:g}", "mid", self.x(tick), self.base + 14)
        corner = f"M{self.left} {TOP}V{self.base}H{self.right}"
        yield Mark("path", {"class": "axis", "d": corner})
        yield _text(x_label, "mid", (self.left + self.right) / 2, self.base + 29)
        if y_label:
            yield _text(y_label, "mid", 11, (TOP + self.base) / 2, turned=-90)


def _text(words: str, css: str, x: float, y: float, *, turned: float = 0) -> Mark:
    place = f"translate({x:.1f} {y:.1f})" + (f" rotate({turned:g})" if turned else "")
    return Mark("text", {"class": css, "transform": place}, words)


def _range(values: Iterable[float]) -> tuple[float, float]:
    known = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(known), max(known)
    return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """About four round numbers in between."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 5)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _short(text: str, most: int = 12) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
