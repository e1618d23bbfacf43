"""The affect pickles of MultiBench: UR-FUNNY (humour) and MUStARD (sarcasm).

Liang et al. (2021), "MultiBench: Multiscale Benchmarks for Multimodal Representation Learning";
Hasan et al. (2019), "UR-FUNNY"; Castro et al. (2019), "Towards Multimodal Sarcasm Detection". The
files hold `{train, valid, test} -> {text, audio, vision, labels, id?}`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.readers.pickles.examples import WORDS
from affuse.readers.pickles.mult_format import LAYOUT, padded_part
from affuse.readers.pickles.padded import require_one_label
from affuse.readers.pickles.parts import build_corpus, pickle_format, read_parts
from affuse.readers.registry import register_corpus
from affuse.samples import Corpus, FloatArray
from affuse.tasks import Classification

CLASSES = {"humor": ("not humorous", "humorous"), "sarcasm": ("not sarcastic", "sarcastic")}
UNNAMED = ("no", "yes")
_NAMES = {"humor": "humor", "funny": "humor", "sarcasm": "sarcasm", "mustard": "sarcasm"}


class MultibenchOptions(Options):
    """Options of the reader `multibench`."""

    labels: Literal["auto", "humor", "sarcasm"] = Field(
        default="auto", description="what the labels tell; by default as the file is named"
    )


def _recognises(path: Path) -> bool:
    found = pickle_format(path)
    return (
        found is not None
        and found.two_labels
        and "labels" in found.keys
        and WORDS not in found.keys
    )


@register_corpus("multibench", MultibenchOptions, recognises=_recognises)
def read_multibench(path: Path, options: MultibenchOptions) -> Corpus:
    """MultiBench pickles of UR-FUNNY and MUStARD: humour or sarcasm, yes or no.

    Labels are one a sample, 0 or -1 for no and 1 for yes. Features are read as in `mult`: padding
    of zero steps is cut, aligned modalities together, and what is not finite becomes 0. MultiBench
    itself drops samples without text; here they are kept, with the modalities they have.
    """
    parts = read_parts(path, padded_part, LAYOUT)
    targets = {name: _targets(part.labels, f"{path}: {name}") for name, part in parts.items()}
    named = (kind for word, kind in _NAMES.items() if word in path.stem.lower())
    kind = next(named, "") if options.labels == "auto" else options.labels
    task = Classification(CLASSES.get(kind, UNNAMED))
    # Its widths are those of other corpora too, for which the presets are.
    return build_corpus(
        *("multibench", path, options, task, parts, targets),
        preset="multibench",
        notices=parts.notices,
    )


def _targets(labels: NDArray[Any], source: str) -> FloatArray:
    flat = require_one_label(labels, "labels", source).reshape(-1, 1)
    odd = np.flatnonzero(~np.isin(flat, (-1, 0, 1)))
    if odd.size:
        problem = f"label {int(odd[0])} is {float(flat[odd[0], 0]):g}"
        remedy = "give 1 for yes, 0 or -1 for no, or name the right corpus"
        raise InputError(problem, remedy=remedy, source=source)
    return np.asarray(flat == 1, dtype=np.float32)
