"""What results look like whole: in a notebook as HTML, printed as text (`affuse.shown`)."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from affuse.doctor.summary import summarise_corpus
from affuse.report.command_tables import (
    ablation_table,
    corpus_tables,
    evaluation_table,
    explanation_table,
    tuning_table,
)
from affuse.report.pages import prediction_page
from affuse.report.plots import benchmark_intervals, training_curves
from affuse.report.tables import result_tables

WIDTH = 120
"""Of printed tables, in characters."""


def text(thing: Any) -> str:
    """A result as it is printed: its tables, or its one line where it has none."""
    tables = list(_TABLES[type(thing).__name__](thing)) if type(thing).__name__ in _TABLES else []
    if not tables:
        return repr(thing)
    file = StringIO()
    console = Console(file=file, width=WIDTH)
    for table in tables:
        console.print(table)
    return file.getvalue().rstrip()


def html(thing: Any) -> str:
    """A result as a notebook shows it: a page in a frame, or tables and a plot."""
    name = type(thing).__name__
    if name in _PAGES:
        page = escape(_PAGES[name](thing))
        return f'<iframe srcdoc="{page}" style="width:100%;height:44em;border:0"></iframe>'
    tables = _TABLES.get(name, lambda _: ())(thing)
    shown = "".join(map(table_html, tables)) or f"<pre>{escape(repr(thing))}</pre>"
    return shown + "".join(_PLOTS[name](thing) if name in _PLOTS else ())


def table_html(table: Table) -> str:
    """A table of the screen as one of HTML."""

    def cell(tag: str, content: Any) -> str:
        known = content if isinstance(content, Text) else Text.from_markup(str(content))
        bold = "bold" in str(known.style)
        inner = escape(known.plain).replace("\n", "<br>")
        return f"<{tag}>{f'<b>{inner}</b>' if bold else inner}</{tag}>"

    head = "".join(cell("th", column.header) for column in table.columns)
    rows = zip(*(column.cells for column in table.columns), strict=True)
    body = "".join(f"<tr>{''.join(cell('td', c) for c in row)}</tr>" for row in rows)
    title = f"<caption>{escape(str(table.title))}</caption>" if table.title else ""
    notes = escape(str(table.caption)).replace("\n", "<br>") if table.caption else ""
    return f"<table>{title}<tr>{head}</tr>{body}</table><p><small>{notes}</small></p>"


def _explanation_page(found: Any) -> str:
    from affuse.report.explanation_page import explanation_page  # brings torch

    return explanation_page(found)


def _intervals(result: Any) -> Iterator[str]:
    yield _image(lambda file: benchmark_intervals(result, result.metrics[0], file))


def _curves(checkpoint: Any) -> Iterator[str]:
    history = checkpoint.training.get("history")
    if history:
        seed = int(checkpoint.training.get("seed", 0))
        yield _image(lambda file: training_curves({seed: history}, file))


def _image(draw: Callable[[Path], None]) -> str:
    """A plot as part of a page; nothing where matplotlib is not there to draw it."""
    with tempfile.TemporaryDirectory() as folder, suppress(ImportError):
        file = Path(folder) / "plot.png"
        draw(file)
        content = base64.b64encode(file.read_bytes()).decode()
        return f'<img style="max-width:40em" src="data:image/png;base64,{content}">'
    return ""


# By name, so that what shows an answer of the runtime needs no torch.
_TABLES: dict[str, Callable[[Any], Iterable[Table]]] = {
    "Corpus": lambda corpus: corpus_tables(summarise_corpus(corpus)),
    "BenchmarkResult": lambda result: result_tables(result, WIDTH),
    "Evaluation": lambda found: [evaluation_table(found)],
    "Ablations": lambda found: [ablation_table(found)],
    "TuningResult": lambda found: [tuning_table(study, found.metric) for study in found.models],
    "Explanation": lambda found: [explanation_table(found)],
}
_PAGES: dict[str, Callable[[Any], str]] = {
    "Explanation": _explanation_page,
    "ClipAnswer": lambda answer: prediction_page(answer.to_dict()),
}
_PLOTS: dict[str, Callable[[Any], Iterator[str]]] = {
    "BenchmarkResult": _intervals,
    "Checkpoint": _curves,
}
