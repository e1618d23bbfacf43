"""How results show themselves: a line in a terminal, tables or a page in a notebook."""

from __future__ import annotations

from importlib import import_module

_LOOKS = "affuse.report.notebook"


class Shown:
    """Base of what a user gets back: `repr` is one line, `print` and notebooks show it whole.

    What it looks like is `affuse.report`'s business, which is asked by name and late.
    """

    __slots__ = ()

    def _summary(self) -> str:
        """What stands between the brackets of `repr`, on one line."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._summary()})"

    def __str__(self) -> str:
        return str(import_module(_LOOKS).text(self))

    def _repr_html_(self) -> str:
        return str(import_module(_LOOKS).html(self))
