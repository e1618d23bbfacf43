"""Charts as inline SVG: a few small functions, so that a page needs neither scripts nor files.

Colours are classes, which the page's style sheet fills for light and dark. Every chart has a
`<title>` that says in words what it shows, for those who do not see it.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from affuse.incongruity.tendency import Estimate
from affuse.tasks import Floats

LEFT, RIGHT, TOP, BOTTOM = 46.0, 18.0, 10.0, 34.0
BLUE = (38, 128, 194)
"""Of heat maps; it stands out on light and dark."""


@dataclass(frozen=True)
class Line:
    """A line of a chart, with a band where `band` is given, one pair a point.

    Attributes:
        name: for the legend.
        css: classes, such as `c0 dashed`.
        x, y: points; a nan breaks the line.
        band: low and high at each point.
    """

    name: str
    css: str
    x: Sequence[float]
    y: Sequence[float]
    band: Sequence[tuple[float, float]] = ()


def line_chart(
    title: str,
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    y_range: tuple[float, float] | None = None,
    mark: float | None = None,
    diagonal: bool = False,
    size: tuple[float, float] = (340.0, 220.0),
) -> str:
    """Lines over a common axis.

    Args:
        y_range: of the axis; all that is drawn by default.
        mark: an x at which a vertical line stands.
        diagonal: whether to draw y = x.
    """
    xs = [x for line in lines for x in line.x]
    ys = [y for line in lines for y in (*line.y, *(end for b in line.band for end in b))]
    frame = _Frame.of(xs, ys if y_range is None else y_range, size)
    parts = [frame.axes(x_label, y_label)]
    if mark is not None:
        x = frame.x(mark)
        parts.append(f'<path class="mark" d="M{x:.1f} {TOP}V{frame.height - BOTTOM:.1f}"/>')
    if diagonal:
        ends = [max(frame.low[0], frame.low[1]), min(frame.high[0], frame.high[1])]
        parts.append(f'<path class="mark" d="{_path([(frame.x(e), frame.y(e)) for e in ends])}"/>')
    for line in lines:
        if line.band:
            low = [(frame.x(x), frame.y(b[0])) for x, b in zip(line.x, line.band, strict=True)]
            high = [(frame.x(x), frame.y(b[1])) for x, b in zip(line.x, line.band, strict=True)]
            parts.append(f'<path class="band {line.css}" d="{_path([*low, *reversed(high)])}Z"/>')
        points = [(frame.x(x), frame.y(y)) for x, y in zip(line.x, line.y, strict=True)]
        parts.append(f'<path class="line {line.css}" d="{_path(points)}"/>')
        if len(points) < 20:
            parts += [
                f'<circle class="dot {line.css}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">'
                f"<title>{escape(line.name)}: {label_x:.3g}, {label_y:.3g}</title></circle>"
                for (x, y), label_x, label_y in zip(points, line.x, line.y, strict=True)
                if math.isfinite(y)
            ]
    return svg(title, frame.width, frame.height, parts)


def interval_rows(title: str, rows: Sequence[tuple[str, str, Estimate]], x_label: str) -> str:
    """A mean and its interval a row, about zero: name, classes, estimate."""
    ends = [0.0, *(end for _, _, e in rows for end in (e.mean, *e.ci95))]
    height, left = 24.0 * len(rows) + TOP + BOTTOM, 150.0
    frame = _Frame.of(ends, (0.0, 1.0), (430.0, height), left)
    zero = frame.x(0.0)
    parts = [
        frame.axes(x_label, "", y_ticks=False),
        f'<path class="mark" d="M{zero:.1f} {TOP}V{height - BOTTOM:.1f}"/>',
    ]
    for place, (name, css, found) in enumerate(rows):
        y = TOP + 24.0 * place + 12
        parts.append(f'<text x="{left - 8:.0f}" y="{y + 4:.1f}" class="end">{escape(name)}</text>')
        if math.isfinite(found.mean):
            low, high = (frame.x(end) for end in found.ci95)
            x = frame.x(found.mean)
            parts.append(
                f'<path class="line {css}" d="M{low:.1f} {y}H{high:.1f}"/>'
                f'<circle class="dot {css}" cx="{x:.1f}" cy="{y}" r="4">'
                f"<title>{escape(name)}: {interval(found)}</title></circle>"
            )
    return svg(title, 430.0, height, parts)


def stacked(title: str, shares: Mapping[str, Floats], x_label: str) -> str:
    """Shares `(N,)` that sum to one, one column a sample, at most 300 of them."""
    count = len(next(iter(shares.values())))
    chosen = [round(i * (count - 1) / max(min(count, 300) - 1, 1)) for i in range(min(count, 300))]
    frame = _Frame.of((0.0, 1.0), (0.0, 1.0), (340.0, 220.0))
    below, parts = [0.0] * len(chosen), [frame.axes(x_label, "gate weight", x_ticks=False)]
    for place, values in enumerate(shares.values()):
        above = [low + float(values[row]) for low, row in zip(below, chosen, strict=True)]
        xs = [(i + side) / len(chosen) for i in range(len(chosen)) for side in (0, 1)]
        tops, bottoms = ([y for y in ys for _ in (0, 1)] for ys in (above, below))
        ring = [*zip(xs, tops, strict=True), *reversed(list(zip(xs, bottoms, strict=True)))]
        path = _path([(frame.x(x), frame.y(y)) for x, y in ring])
        parts.append(f'<path class="area c{place}" d="{path}Z"/>')
        below = above
    return svg(title, 340.0, 220.0, parts)


def heat_map(title: str, values: Floats, rows: Sequence[str], columns: Sequence[str]) -> str:
    """Values `(T, S)` as shades, the largest the darkest, with the names of both axes."""
    cell, left = max(5.0, min(18.0, 320.0 / max(len(columns), 1))), 92.0
    width, height = left + cell * len(columns) + 8, cell * len(rows) + 78
    most = float(values.max()) or 1.0
    span = f'width="{cell * len(columns):.1f}" height="{cell * len(rows):.1f}"'
    parts = [
        f'<image x="{left:.0f}" y="4" {span} preserveAspectRatio="none" '
        f'href="data:image/png;base64,{base64.b64encode(_png(values / most)).decode()}"/>'
    ]
    every = math.ceil(13 / cell)
    for r in range(0, len(rows), every):
        y = 4 + (r + 0.5) * cell + 4
        parts.append(f'<text class="end" x="{left - 5:.0f}" y="{y:.1f}">{_short(rows[r])}</text>')
    for c in range(0, len(columns), every):
        x, y = left + (c + 0.5) * cell + 4, height - 70
        parts.append(
            f'<text class="end" transform="translate({x:.1f} {y:.1f}) rotate(-60)">'
            f"{_short(columns[c])}</text>"
        )
    parts.append(f'<rect class="box" x="{left:.0f}" y="4" {span}/>')
    return svg(title, width, height, parts)


def legend(names: Iterable[tuple[str, str]]) -> str:
    """Names with the classes of their lines, as text beside swatches."""
    items = "".join(f'<li><i class="swatch {css}"></i>{escape(n)}</li>' for n, css in names)
    return f'<ul class="legend">{items}</ul>'


def svg(title: str, width: float, height: float, parts: Iterable[str]) -> str:
    """A drawing whose title says what it shows."""
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" style="max-width:{width:.0f}px" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def interval(found: Estimate) -> str:
    """A mean with its interval in words."""
    low, high = found.ci95
    return f"{found.mean:+.3f} [{low:+.3f}, {high:+.3f}]" if math.isfinite(found.mean) else "—"


@dataclass(frozen=True)
class _Frame:
    """Data ranges on a drawing: `low` and `high` of x and y."""

    low: tuple[float, float]
    high: tuple[float, float]
    width: float
    height: float
    left: float

    @classmethod
    def of(
        cls,
        xs: Sequence[float],
        ys: Sequence[float],
        size: tuple[float, float],
        left: float = LEFT,
    ) -> _Frame:
        (x0, x1), (y0, y1) = (_range(values) for values in (xs, ys))
        return cls((x0, y0), (x1, y1), *size, left)

    def x(self, value: float) -> float:
        share = (value - self.low[0]) / (self.high[0] - self.low[0])
        return self.left + share * (self.width - self.left - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low[1]) / (self.high[1] - self.low[1])
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def axes(self, x_label: str, y_label: str, x_ticks: bool = True, y_ticks: bool = True) -> str:
        base, end = self.height - BOTTOM, self.width - RIGHT
        parts = [f'<path class="axis" d="M{self.left} {TOP}V{base}H{end}"/>']
        parts += [
            f'<text class="mid" x="{self.x(tick):.1f}" y="{base + 14}">{tick:g}</text>'
            for tick in (_ticks(self.low[0], self.high[0]) if x_ticks else ())
        ]
        for tick in _ticks(self.low[1], self.high[1]) if y_ticks else ():
            y = self.y(tick)
            parts.append(f'<path class="grid" d="M{self.left} {y:.1f}H{end}"/>')
            parts.append(f'<text class="end" x="{self.left - 5}" y="{y + 4:.1f}">{tick:g}</text>')
        middle = (self.left + end) / 2
        parts.append(f'<text class="mid" x="{middle:.0f}" y="{base + 29}">{escape(x_label)}</text>')
        if y_label:
            place = f"translate(11 {(TOP + base) / 2:.0f}) rotate(-90)"
            parts.append(f'<text class="mid" transform="{place}">{escape(y_label)}</text>')
        return "".join(parts)


def _png(shares: Floats) -> bytes:
    """Shares `(T, S)` in [0, 1] as an image of one pixel each, a blue of that opacity.

    An image, since thousands of rectangles a map would make the page megabytes heavy.
    """
    rows, columns = shares.shape
    pixels = np.empty((rows, columns, 4), dtype=np.uint8)
    pixels[..., :3] = BLUE
    pixels[..., 3] = np.round(255 * np.clip(shares, 0, 1))
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", columns, rows, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def _range(values: Sequence[float]) -> tuple[float, float]:
    known = [v for v in values if math.isfinite(v)] or [0.0]
    low, high = min(known), max(known)
    return (low, high) if high - low > 1e-9 else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """About four round numbers in between."""
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (step * f) <= 5)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _path(points: Iterable[tuple[float, float]]) -> str:
    found, pen = [], "M"
    for x, y in points:
        if math.isfinite(x) and math.isfinite(y):
            found.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(found)


def _short(text: str, most: int = 12) -> str:
    return escape(text if len(text) <= most else f"{text[: most - 1]}…")
