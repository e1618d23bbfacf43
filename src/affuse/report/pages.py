"""Pages from the templates of this package: single files that need neither network nor scripts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **view: object) -> str:
    """The text of a page.

    Args:
        template: the name of its file.
        view: what the template asks for; all of it is escaped.
    """
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
