"""The section of the report that looks at samples one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from affuse.incongruity.cases import AttentionMap, Case
from affuse.incongruity.explanation import Explanation
from affuse.report.charts import heat_map, svg
from affuse.report.sentences import CONFLICT


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


LANE = 34.0


def cases(found: Explanation) -> str:
    """Every chosen sample: answers, where each modality is heard, and attention."""
    return "".join(_case(found, case) for case in found.cases)


def _case(found: Explanation, case: Case) -> str:
    gate = ", ".join(f"{m} {weight:.2f}" for m, weight in case.gate.items())
    conflict = case.conflict
    named = conflict.pair is not None and conflict.score >= CONFLICT
    pair = f", {' against '.join(conflict.pair or ())}" if named else ""
    facts = {
        "words": case.text or "",
        "label": case.label,
        f"answer of {found.model.name}": case.answer,
        "each alone": ", ".join(f"{m}: {said}" for m, said in case.own.items()),
        "gate": gate,
        "conflict score": f"{conflict.score:.2f}{pair}",
    }
    listed = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items() if v)
    maps = "".join(map(_attention, case.maps))
    shown = (
        f'<details open><summary>Attention</summary><div class="charts">{maps}</div></details>'
        if maps
        else ""
    )
    return (
        f"<h3>{escape(case.id)} <span class=soft>({escape(case.why)})</span></h3>"
        f"<dl>{listed}</dl>{figure(_lanes(case), 'Where each of the two is heard')}{shown}"
    )


def _attention(found: AttentionMap) -> str:
    title = f"What {found.target} (rows) attends to in {found.source} (columns)"
    drawing = heat_map(title, found.weights, found.target_steps, found.source_steps)
    return figure(drawing, f"{title}; block {found.block}")


def _lanes(case: Case) -> str:
    """A lane for each modality of the pair, with the stretches that carry what it says."""
    if not case.conflict.spans:
        return ""
    parts = []
    for place, (modality, spans) in enumerate(case.conflict.spans.items()):
        y = 6 + LANE * place
        steps, colour = case.steps.get(modality, 1), list(case.steps).index(modality)
        parts += [
            f'<text class="end strong" x="92" y="{y + 17:.0f}">{escape(modality)}</text>',
            f'<rect class="box" x="100" y="{y:.0f}" width="440" height="24"/>',
        ]
        for span in spans:
            x, end = (100 + 440 * step / max(steps, 1) for step in (span.first, span.last))
            parts.append(
                f'<rect class="area c{colour}" x="{x:.1f}" y="{y:.0f}" width="{end - x:.1f}" '
                f'height="24"><title>{span}</title></rect>'
            )
        until = case.ends.get(modality)
        words = f"{steps} steps" if until is None else f"{until:.1f} s"
        parts.append(f'<text x="546" y="{y + 16:.0f}">{words}</text>')
    title = f"Stretches of {' and '.join(case.conflict.spans)} that carry what they say"
    return svg(title, 610, 6 + LANE * len(case.conflict.spans), parts)
