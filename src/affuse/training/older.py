"""Weights of checkpoints that earlier versions wrote, as today's models take them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.functional import pad

from affuse.errors import InputError

Weights = dict[str, Tensor]
# What the agreement gate of values compares today and did not before.
_NEWLY_COMPARED = 2


def widened(weights: Weights, wanted: Mapping[str, Tensor]) -> Weights:
    """The weights, as wide as they are wanted.

    The agreement gate of values once did not compare what one modality says with the opposite of
    what another says: to such weights that comparison makes no difference.
    """
    wider = {
        key: pad(value, (0, _NEWLY_COMPARED))
        for key, value in weights.items()
        if key.endswith("gate.compare.0.weight")
    }
    # Any other weight that does not fit is refused as it is.
    fitting = {k: v for k, v in wider.items() if k in wanted and v.shape == wanted[k].shape}
    return weights | fitting


def renamed(model: str, options: Mapping[str, Any], weights: Weights, file: Path) -> Weights:
    """The weights of a registered model; unchanged where today's version wrote them.

    `hct_mg` once kept its members itself, all under one gate.

    Raises:
        InputError: that gate read what all members together expected of a sample, which no member
            does by itself: they would answer otherwise.
    """
    inner = [key for key in weights if key.startswith("members.")]
    if model != "hct_mg" or not inner or any(".network." in key for key in inner):
        return weights
    shared = {key: value for key, value in weights.items() if key not in inner}
    parts = {key: key.split(".", 2)[1:] for key in inner}
    if options.get("members", 1) == 1:
        return {f"network.{name}": weights[key] for key, (_, name) in parts.items()} | shared
    if options.get("granularity") == "sample" and options.get("gate") == "contribution":
        raise InputError(
            "hct_mg's members shared one gate by sample when it was trained, and do no more",
            remedy="train it again",
            source=file,
        )
    found = {f"members.{n}.network.{name}": weights[key] for key, (n, name) in parts.items()}
    for number in {number for number, _ in parts.values()}:
        found |= {f"members.{number}.{key}": value for key, value in shared.items()}
    return found
