"""The components of pages as one script and one style, for files that open from disk.

Browsers load no modules from disk, so these are joined. In `components/` each name of a module's
top level is therefore unique, and imports are by these names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("components")
STYLES = ("palette.css", "base.css", "clip.css")

_IMPORT = re.compile(r"""^import\s[^;]*?from "\./([\w.]+)";\n""", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |const )", re.MULTILINE)


@cache
def joined_script(first: str) -> str:
    """A module of `components/` after all that it imports, as one module."""
    return "".join(_parts(first, set()))


def _parts(name: str, seen: set[str]) -> Iterator[str]:
    seen.add(name)
    source = (FOLDER / name).read_text(encoding="utf-8")
    for needed in _IMPORT.findall(source):
        if needed not in seen:
            yield from _parts(needed, seen)
    yield _EXPORT.sub("", _IMPORT.sub("", source))


@cache
def joined_style() -> str:
    """The style of a page of components."""
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in STYLES)


def policy_of(script: str, style: str) -> str:
    """A content security policy by which a page runs this script and style, and no others.

    Sound and pictures may lie beside the page.
    """
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "img-src data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
