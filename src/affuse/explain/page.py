"""The report as one HTML page: no network, no file beside it, readable without scripts."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template

from affuse import __version__
from affuse.explain.explanation import Explanation
from affuse.explain.page_cases import cases
from affuse.explain.page_parts import (
    calibration,
    conflicts,
    gate,
    hard,
    hierarchy,
    latent,
    robustness,
)
from affuse.explain.summary import summarise

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
    template = Template((files("affuse.explain") / "page.html").read_text(encoding="utf-8"))
    return template.substitute(title=escape(f"{names}, {found.corpus}"), body="".join(parts))
