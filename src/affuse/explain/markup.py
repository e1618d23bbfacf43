"""The pieces of HTML that sections of the report share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def figure(drawing: str, caption: str, *, wide: bool = False) -> str:
    """A drawing with a caption."""
    under = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure{' class=wide' if wide else ''}>{drawing}{under}</figure>"


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    key: str = "",
) -> str:
    """A table that scrolls by itself where it is too wide."""
    right = set(numbers)

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' scope=col' if tag == 'th' else ''}"
            f"{' class=number' if column in right else ''}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    name = escape(caption, quote=True)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">'
        f"<table{f' id={key}' if key else ''}><caption>{escape(caption)}</caption>"
        f"<thead><tr>{cells(header, 'th')}</tr></thead><tbody>{body}</tbody></table></div>"
    )
