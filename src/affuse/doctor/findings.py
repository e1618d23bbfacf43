"""What the doctor's checks take and give, and what affuse does about each defect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affuse.doctor.facts import UNUSABLE, ArrayFacts, CorpusFacts, PartFacts
from affuse.doctor.recording_facts import RecordingFacts
from affuse.doctor.summary import CorpusSummary

Severity = Literal["error", "warning", "note"]

_REFUSED = "refused: drop or mend those rows"
_FLATTERING = "kept in both: remove them from one, or scores flatter"
_CONSTANT = "kept: normalisation makes them 0"
_TREATMENTS: dict[Severity, dict[str, str]] = {
    "error": {
        "empty-split": "refused: give each split some",
        "label-not-finite": _REFUSED,
        "label-not-a-class": _REFUSED,
        "label-out-of-range": "refused: mend those rows; where labels are values, --set clip=true "
        "clips them",
        "not-finite": "training refuses them: set them to 0 or leave the modality out",
    },
    "warning": {
        "swapped-axes": "read as it stands: transpose it to (samples, steps, features)",
        "swapped-lengths": "mult ignores lengths, mmsa keeps as many steps as they say: swap them "
        "in the file",
        "impossible-length": "all steps are taken up to the last of the array",
        "copied-clip": "kept in both, as the table's split or groups have them: remove one of them",
        "similar-sound": "kept in both: listen, and remove one of them or give both one group",
        "unreadable-clip": "left out, and listed in errors.csv; strict=true refuses",
        "annotators-disagree": "averaged or voted all the same: models can hardly do better",
        "shared-group": "kept: a model may know the speaker, not the affect; split by them",
        "duplicate-id": "kept, and told apart by #2, #3",
        "shared-id": _FLATTERING,
        "same-features": _FLATTERING,
        "constant-labels": "used as it is: nothing can be learnt or measured there",
        "missing-class": "used as it is: metrics that average over classes suffer",
        "empty-modality": "nothing is learnt or measured of it there; what all of train lacks "
        "is left out",
    },
    "note": {
        **dict.fromkeys(UNUSABLE, "replaced by 0, as MulT's code does"),
        "read-as": "told whenever it is read; see the reader's options",
        "short-length": "steps are kept up to the last that is not zero",
        "gaps": "kept as steps of zeros; only those at the ends are cut",
        "double-precision": "becomes float32; convert the file once with `affuse corpus convert`",
        "no-ids": "samples are named by position; speakers that splits share cannot be seen",
        "missing-modality": "absent, neither zeros nor a guess: models are masked",
        "empty-sample": "kept, as one or more steps of zeros, so that none is lost",
        "zero-feature": _CONSTANT,
        "constant-feature": _CONSTANT,
    },
}
"""Severity to codes of defects, each with what affuse does about it, or what to do."""


@dataclass(frozen=True)
class Finding:
    """A defect."""

    code: str  # its kind, which stays the same from version to version
    # `error` keeps affuse from using the data, `warning` may spoil a result, `note` is dealt with.
    severity: Severity
    where: str  # part and modality
    count: int  # of what `detail` counts
    detail: str
    treatment: str


def finding(
    code: str, where: str, count: int, detail: str, severity: Severity | None = None
) -> Finding:
    """A defect of a known code; `severity` where it is not the usual one."""
    usual = next(s for s, treatments in _TREATMENTS.items() if code in treatments)
    treatment = _TREATMENTS[usual][code]
    return Finding(code, severity or usual, where, count, detail, treatment)


@dataclass(frozen=True, eq=False)
class CheckInput:
    """All that is known of a corpus: what a check looks at."""

    kind: str  # the reader's name
    file: Mapping[str, PartFacts]  # part to what the file has; empty where it is no pickle
    corpus: CorpusFacts  # what was read, without any folds where the reader refused
    summary: CorpusSummary | None  # the same in numbers; None where the reader refused
    # Name of each .csd file to int64 `(4, V)`, its videos' values of the kinds in `UNUSABLE`.
    sequences: Mapping[str, NDArray[np.int64]]
    # What the reader says that it read otherwise than it stands, a line each.
    notices: tuple[str, ...] = ()
    recordings: RecordingFacts | None = None  # where the corpus is made of such

    def arrays(self) -> Iterator[tuple[str, str, ArrayFacts]]:
        """Part, modality and facts of every array of the file."""
        for name, part in self.file.items():
            yield from ((name, modality, facts) for modality, facts in part.arrays.items())

    def where(self, fold: int, part: str) -> str:
        """The part, with its fold where there are several."""
        return f"fold {fold} {part}" if len(self.corpus.folds) > 1 else part


def first_few(names: Iterable[str]) -> str:
    """The first few of them, without what a stranger's file could do to a terminal."""
    known = list(names)
    shown = ["".join(c if c.isprintable() else "?" for c in name[:60]) for name in known[:3]]
    return ", ".join(shown) + (", …" if len(known) > 3 else "")
