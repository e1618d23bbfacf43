"""Pages from the templates of this package: single files that need neither network nor scripts.

The page of a clip's answer is here, that of an explanation in `affuse.report.explanation_page`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from affuse.report.answer_files import Content, account_lines, affect_line, top_emotion, words_in
from affuse.report.charts import Bar, Drawing, colours, timeline

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(template: str, **view: object) -> str:
    """The text of a page from a template's file; all that is in the view is escaped."""
    return _environment().get_template(template).render(view)


@cache
def _environment() -> Environment:
    # Imported here, since most commands write no page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("affuse.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def prediction_page(content: Content) -> str:
    """The page of one clip, from its JSON content."""
    end = max(content["duration"], 1e-3)
    return render_page(
        "prediction.html",
        content=content,
        answer=affect_line(content),
        figures=list(_figures(content["timeline"], end)),
        ticks=[_clock(share * end) for share in (0, 0.5, 1)],
        read=list(account_lines(content)),
        rows=[_row(content, window) for window in content["timeline"]],
    )


def _figures(
    windows: Sequence[Content], end: float
) -> Iterator[tuple[str, Drawing, dict[str, str]]]:
    """A caption, a drawing and the colours of its names each."""

    def figure(title: str, bars: Iterator[Bar], css: dict[str, str], middle: bool = False) -> Any:
        words = f"{title} over time; the table below has the numbers"
        return title, timeline(words, bars, end, middle=middle), css

    values = [w["sentiment"] for w in windows if w["sentiment"] is not None]
    if values:
        yield figure("Sentiment", _signed(windows, max(map(abs, values))), {}, middle=True)
    for title, what in (("Emotion", "emotion"), ("Gate weights", "gate")):
        css = colours(dict.fromkeys(name for w in windows for name in w[what] or ()))
        if css:
            yield figure(title, _stacked(windows, what, css), css)
    known = [w for w in windows if w["conflict"] is not None]
    if known:
        bars = (_bar(w, "conflict", f"{w['conflict']:.0%}", w["conflict"], 0.0) for w in known)
        yield figure("Conflict between modalities", bars, {})


def _signed(windows: Sequence[Content], most: float) -> Iterator[Bar]:
    """Bars up and down from the middle."""
    for window in windows:
        value = window["sentiment"]
        if value is not None:
            size = abs(value) / max(most, 3.0) / 2
            css, low = ("positive", 0.5) if value >= 0 else ("negative", 0.5 - size)
            yield _bar(window, css, f"{value:+z.2f}", size, low)


def _stacked(windows: Sequence[Content], what: str, css: Mapping[str, str]) -> Iterator[Bar]:
    """Shares one upon the other; several labels, which need not sum to one, are scaled to fit."""
    for window in windows:
        shares, low = window[what] or {}, 0.0
        total = max(sum(shares.values()), 1.0)
        for name in css if shares else ():
            share = shares.get(name, 0.0)
            yield _bar(window, css[name], f"{name} {share:.0%}", share / total, low)
            low += share / total


def _bar(window: Content, css: str, says: str, size: float, low: float) -> Bar:
    start, end = window["start"], window["end"]
    return Bar(start, end, css, f"{_clock(start)} to {_clock(end)}: {says}", size, low)


def _row(content: Content, window: Content) -> list[str]:
    top = top_emotion(window)
    return [
        f"{_clock(window['start'])} to {_clock(window['end'])}",
        "" if window["sentiment"] is None else f"{window['sentiment']:+z.2f}",
        "" if top is None else f"{top} {window['emotion'][top]:.0%}",
        window["primary"] or "",
        "" if window["conflict"] is None else f"{window['conflict']:.0%}",
        " ".join(word["word"] for word in words_in(content["words"], window)),
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
