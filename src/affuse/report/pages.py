"""Pages from the templates of this package: single files that need no network.

The page of a clip's answer is here, that of an explanation in `affuse.report.explanation_page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.files import to_strict_json
from affuse.report.answer_files import (
    Content,
    account_lines,
    affect_line,
    to_csv,
    to_srt,
    top_emotion,
    value_names,
    words_in,
)
from affuse.report.page_parts import joined_script, joined_style, policy_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from affuse.report.case_media import CaseMedia


def render_page(template: str, **view: object) -> str:
    """The text of a page from a template's file; all that is in the view is escaped."""
    return _environment().get_template(template).render(view)


@cache
def _environment() -> Environment:
    # Imported here, since most commands write no page.
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    folders = ("templates", "components")
    return Environment(
        loader=ChoiceLoader([PackageLoader("affuse.report", folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def prediction_page(content: Content, media: CaseMedia | None = None) -> str:
    """The page of one clip, from its JSON content; where no script runs, it is a table.

    Args:
        media: what the page plays of it; by default nothing.
    """
    from markupsafe import Markup

    # Whoever is given the page need not know where the clip lay.
    shown = {**content, "file": Path(content["file"]).name}
    values = value_names(content)
    script, style = joined_script("prediction.js"), joined_style()
    return render_page(
        "prediction.html",
        content=shown,
        answer=affect_line(content),
        policy=policy_of(script, style),
        script=Markup(script),
        style=Markup(style),
        view=Markup(_as_script(_view(shown, media))),
        read=list(account_lines(content)),
        header=["time", "sentiment", *values, "emotion", "primary", "conflict", "words"],
        rows=[_row(content, window, values) for window in content["timeline"]],
        numbers=[*range(1, 2 + len(values)), 4 + len(values)],
    )


def _view(content: Content, media: CaseMedia | None) -> Mapping[str, Any]:
    """What the page's script shows."""
    return {
        "content": content,
        "media": media.source or None if media else None,
        "notice": media.notice if media else "",
        "files": {"csv": to_csv([content]), "srt": to_srt(content)},
    }


def _as_script(view: Mapping[str, Any]) -> str:
    """JSON within a page: no tag of HTML can begin or end in it."""
    return to_strict_json(view).replace("<", "\\u003c")


def _row(content: Content, window: Content, values: Sequence[str]) -> list[str]:
    top, told = top_emotion(window), window.get("values") or {}
    return [
        f"{_clock(window['start'])} to {_clock(window['end'])}",
        "" if window["sentiment"] is None else f"{window['sentiment']:+z.2f}",
        *(f"{told[name]:+z.2f}" if name in told else "" for name in values),
        "" if top is None else f"{top} {window['emotion'][top]:.0%}",
        window["primary"] or "",
        "" if window["conflict"] is None else f"{window['conflict']:.0%}",
        " ".join(word["word"] for word in words_in(content["words"], window)),
    ]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
