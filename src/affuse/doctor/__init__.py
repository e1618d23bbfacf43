"""What is wrong with a corpus, and what affuse does about it: for `affuse corpus inspect`.

A check is a function from a `CheckInput` to its findings, in the list `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from affuse.config import parse_options
from affuse.doctor.checks import CHECKS
from affuse.doctor.facts import CorpusFacts, PartFacts, measure_corpus, measure_csd, measure_pickle
from affuse.doctor.findings import CheckInput, Finding
from affuse.doctor.recording_facts import RecordingFacts, measure_recordings
from affuse.doctor.summary import CorpusSummary, summarise_corpus
from affuse.errors import InputError
from affuse.readers.pickles.padded import feature_names
from affuse.readers.registry import load_corpus, resolve
from affuse.samples import Corpus


@dataclass(frozen=True, eq=False)
class Examination:
    """What `examine` found.

    Attributes:
        kind: the reader's name.
        file: part to what the file has; None where it is no pickle.
        corpus, summary: None where the reader refused it.
        findings: the gravest first.
        recordings: where the corpus is made of such.
    """

    kind: str
    file: Mapping[str, PartFacts] | None
    corpus: Corpus | None
    summary: CorpusSummary | None
    findings: tuple[Finding, ...]
    recordings: RecordingFacts | None = None

    def to_dict(self) -> dict[str, Any]:
        """Its content for JSON; what the reader refused has no summary in it."""
        return {
            "format": self.kind,
            **(asdict(self.summary) if self.summary else {}),
            "arrays": [
                {
                    "part": part,
                    "modality": modality,
                    "features": feature_names({modality: facts.shape[2]})[modality],
                    **facts.to_dict(),
                }
                for part, found in (self.file or {}).items()
                for modality, facts in found.arrays.items()
            ],
            "recordings": None if self.recordings is None else self.recordings.to_dict(),
            "findings": [asdict(finding) for finding in self.findings],
        }


def examine(
    name: str, data: Path | None = None, options: Mapping[str, Any] | None = None
) -> Examination:
    """Examine a corpus, given as `load_corpus` takes it, and the file below it if that is a pickle.

    Raises:
        InputError: wrong options, or nothing that could be examined.
    """
    entry, path = resolve(name, data)
    parse_options(entry.options, options or {})
    where = path or data
    file = measure_pickle(where)
    corpus = refusal = None
    try:
        corpus = load_corpus(name, data, options)
    except InputError as error:
        if file is None:
            raise
        refusal = error
    summary = None if corpus is None else summarise_corpus(corpus)
    facts = CorpusFacts([], {}) if corpus is None else measure_corpus(corpus)
    sequences = measure_csd(where) if entry.name == "csd" and where is not None else {}
    told = () if corpus is None else corpus.notices
    recordings = None
    if entry.name == "clips" and where is not None:
        recordings = measure_recordings(where, options)
    known = CheckInput(entry.name, file or {}, facts, summary, sequences, told, recordings)
    findings = [finding for check in CHECKS for finding in check(known)]
    if refusal is not None and all(finding.severity != "error" for finding in findings):
        treatment = f"not read: {refusal.remedy}"
        findings.append(Finding("refused", "error", name, 1, refusal.problem, treatment))
    order = ("error", "warning", "note")
    findings.sort(key=lambda finding: order.index(finding.severity))
    return Examination(entry.name, file, corpus, summary, tuple(findings), recordings)
