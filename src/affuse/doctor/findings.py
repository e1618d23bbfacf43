"""What the doctor's checks take and give, and what affuse does about each defect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affuse.doctor.facts import UNUSABLE, ArrayFacts, CorpusFacts, PartFacts
from affuse.doctor.summary import CorpusSummary

Severity = Literal["error", "warning", "note"]

_REFUSED = "refused: drop or mend those rows"
_FLATTERING = "kept in both: remove them from one, or scores flatter"
_CONSTANT = "kept: normalisation makes them 0"
TREATMENTS: dict[str, tuple[Severity, str]] = {
    "empty-split": ("error", "refused: give each split some"),
    "label-not-finite": ("error", _REFUSED),
    "label-not-a-class": ("error", _REFUSED),
    "label-out-of-range": ("error", _REFUSED),
    "swapped-axes": (
        "warning",
        "read as it stands: transpose it to (samples, steps, features)",
    ),
    "swapped-lengths": (
        "warning",
        "mult ignores lengths, mmsa keeps as many steps as they say: swap them in the file",
    ),
    "impossible-length": ("warning", "all steps are taken up to the last of the array"),
    "short-length": ("note", "steps are kept up to the last that is not zero"),
    **dict.fromkeys(UNUSABLE, ("note", "replaced by 0, as MulT's code does")),
    "gaps": ("note", "kept as steps of zeros; only those at the ends are cut"),
    "double-precision": (
        "note",
        "becomes float32; convert the file once with `affuse corpus convert`",
    ),
    "not-finite": ("error", "training refuses them: set them to 0 or leave the modality out"),
    "shared-group": (
        "warning",
        "kept: a model may know the speaker, not the affect; split by them",
    ),
    "no-ids": (
        "note",
        "samples are named by position; speakers that splits share cannot be seen",
    ),
    "duplicate-id": ("warning", "kept, and told apart by #2, #3"),
    "shared-id": ("warning", _FLATTERING),
    "same-features": ("warning", _FLATTERING),
    "constant-labels": ("warning", "used as it is: nothing can be learnt or measured there"),
    "missing-class": ("warning", "used as it is: metrics that average over classes suffer"),
    "empty-modality": ("warning", "left out: nothing is learnt or measured of it"),
    "missing-modality": ("note", "absent, neither zeros nor a guess: models are masked"),
    "empty-sample": ("note", "kept, as one or more steps of zeros, so that none is lost"),
    "zero-feature": ("note", _CONSTANT),
    "constant-feature": ("note", _CONSTANT),
}
"""Code of a defect to its severity, and to what affuse does about it, or what to do."""


@dataclass(frozen=True)
class Finding:
    """A defect.

    Attributes:
        code: its kind, which stays the same from version to version.
        severity: `error` keeps affuse from using the data, `warning` may spoil a result, `note`
            is dealt with.
        where: part and modality.
        count: of what `detail` counts.
    """

    code: str
    severity: Severity
    where: str
    count: int
    detail: str
    treatment: str


def finding(
    code: str, where: str, count: int, detail: str, severity: Severity | None = None
) -> Finding:
    """A defect of a kind in `TREATMENTS`; `severity` where it is not the usual one."""
    usual, treatment = TREATMENTS[code]
    return Finding(code, severity or usual, where, count, detail, treatment)


@dataclass(frozen=True, eq=False)
class CheckInput:
    """All that is known of a corpus: what a check looks at.

    Attributes:
        kind: the reader's name.
        file: part to what the file has; empty where it is no pickle.
        corpus: what was read, without any folds where the reader refused.
        summary: the same in numbers; None where the reader refused.
        sequences: name of each .csd file to int64 `(4, V)`, its videos' values of the kinds in
            `UNUSABLE`.
    """

    kind: str
    file: Mapping[str, PartFacts]
    corpus: CorpusFacts
    summary: CorpusSummary | None
    sequences: Mapping[str, NDArray[np.int64]]

    def arrays(self) -> Iterator[tuple[str, str, ArrayFacts]]:
        """Part, modality and facts of every array of the file."""
        for name, part in self.file.items():
            yield from ((name, modality, facts) for modality, facts in part.arrays.items())

    def where(self, fold: int, part: str) -> str:
        """The part, with its fold where there are several."""
        return f"fold {fold} {part}" if len(self.corpus.folds) > 1 else part


def some(names: Iterable[str]) -> str:
    """The first few of them, without what a stranger's file could do to a terminal."""
    known = list(names)
    shown = ["".join(c if c.isprintable() else "?" for c in name[:60]) for name in known[:3]]
    return ", ".join(shown) + (", …" if len(known) > 3 else "")
