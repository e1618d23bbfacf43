"""`create_model`: a registered model by its name, as one network or several."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from torch import nn

from affuse.config import parse_options
from affuse.errors import InputError, unknown_name
from affuse.fusion.ensemble import Ensemble
from affuse.fusion.model import FusionModel, Members, models


def create_model(
    name: str, widths: Mapping[str, int], outputs: int, options: Mapping[str, Any] | None = None
) -> FusionModel:
    """Build a registered model; `unimodal:<modality>` is `unimodal` with that modality.

    With the option `members` above 1 it is an `Ensemble` of so many.

    Raises:
        InputError: an unknown name or option, or fewer modalities than the model needs.
    """
    base, _, modality = name.partition(":")
    known = models()
    if base not in known:
        raise unknown_name("model", base, known)
    if not widths or min(widths.values()) < 1:
        raise InputError(f"widths {dict(widths)}", remedy="give each modality a width of 1 or more")
    for stream in widths:
        # They become names of submodules, for which torch has rules of its own.
        if "." in stream or hasattr(nn.ModuleDict, stream):
            raise InputError(f"a modality named '{stream}'", remedy="rename it")
    values = {**(options or {}), **({"modality": modality} if modality else {})}
    cls = known[base].cls
    chosen = cast("Members", parse_options(cls.Options, values))
    build = partial(cls, widths, outputs, chosen.model_copy(update={"members": 1}))
    return build() if chosen.members == 1 else Ensemble(build, chosen)
