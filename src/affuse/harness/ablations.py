"""Ablations of HCT-MG: settings for benchmarks, each one change from the whole model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

REFERENCE = "hct_mg"


@dataclass(frozen=True)
class Ablation:
    """One row of an ablation table.

    Attributes:
        name: of the row.
        question: what it answers.
        settings: `key=value` for `affuse.harness.request.Request.settings`, over the preset.
    """

    name: str
    question: str
    settings: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def ablations(modalities: Sequence[str]) -> list[Ablation]:
    """All ablations for a corpus with these modalities; the first is the whole model."""

    def ablation(name: str, question: str, **options: Any) -> Ablation:
        return Ablation(name, question, {f"{REFERENCE}.{k}": v for k, v in options.items()})

    return [
        ablation("whole", "what is compared with"),
        ablation("gate=paper", "does measuring contribution beat learning it?", gate="paper"),
        *(
            ablation(f"gate=fixed:{m}", f"what if {m} always led?", gate=f"fixed:{m}")
            for m in modalities
        ),
        ablation("granularity=batch", "does a primary for each batch help?", granularity="batch"),
        ablation(
            "granularity=sample", "does a primary for each sample help?", granularity="sample"
        ),
        ablation(
            "modality_dropout=0", "is hiding modalities in training needed?", modality_dropout=0.0
        ),
    ]
