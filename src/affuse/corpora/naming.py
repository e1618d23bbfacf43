"""How a corpus read with options is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from affuse.config import Options


def corpus_name(name: str, options: Options, always: Sequence[str] = ()) -> str:
    """`name` with the options in `always`, then all others that differ from their default.

    For example `mosi[split=bc,layers=0+3+6]`.
    """
    values, fields = dict(options), type(options).model_fields
    changed = [key for key in values if values[key] != fields[key].default]
    shown = dict.fromkeys([*always, *changed])
    chosen = [f"{key}={_shown(values[key])}" for key in shown]
    return f"{name}[{','.join(chosen)}]" if chosen else name


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
