"""What the doctor's checks take and give: `Evidence` and `Finding`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from affuse.doctor.summary import CorpusSummary
from affuse.doctor.views import ArrayFacts, CorpusFacts, PartFacts

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A defect.

    Attributes:
        code: its kind, which stays the same from version to version.
        severity: `error` keeps affuse from using the data, `warning` may spoil a result, `note`
            is dealt with.
        where: part and modality.
        count: of what `detail` counts.
        detail: what was found.
        treatment: what affuse does about it, or what to do.
    """

    code: str
    severity: Severity
    where: str
    count: int
    detail: str
    treatment: str


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that is known of a corpus.

    Attributes:
        kind: the reader's name.
        file: part to what the file has; None where it is no pickle.
        corpus: what was read; None where the reader refused.
        summary: the same in numbers.
        sequences: name of each .csd file to int64 `(4, V)`, its videos' values of the kinds in
            `UNUSABLE`.
    """

    kind: str
    file: Mapping[str, PartFacts] | None
    corpus: CorpusFacts | None
    summary: CorpusSummary | None
    sequences: Mapping[str, NDArray[np.int64]]

    def arrays(self) -> Iterator[tuple[str, str, ArrayFacts]]:
        """Part, modality and facts of every array of the file."""
        for name, part in (self.file or {}).items():
            yield from ((name, modality, facts) for modality, facts in part.arrays.items())

    def where(self, fold: int, part: str) -> str:
        """The part, with its fold where there are several."""
        several = self.corpus is not None and len(self.corpus.folds) > 1
        return f"fold {fold} {part}" if several else part


Check = Callable[[Evidence], Iterator[Finding]]


def some(names: Iterable[str]) -> str:
    """The first few of them, without what a stranger's file could do to a terminal."""
    known = list(names)
    shown = ["".join(c if c.isprintable() else "?" for c in name[:60]) for name in known[:3]]
    return ", ".join(shown) + (", …" if len(known) > 3 else "")
