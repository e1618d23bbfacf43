"""Gates that choose for each sample, against a primary chosen by hand, where truth is planted.

    python benchmarks/gates.py [--jobs N]

HCT-MG learns from the controlled corpus with the truth in another modality in each sample (`mixed`)
and with all of them carrying it (`shared`, three samples of ten with a contradiction), by the gates
that read the sample and with each modality fixed as the primary; the same settings, five seeds.
Differences are taken over seeds and test samples. Runs are kept in build/gates and taken up again.
Writes benchmarks/results/gates.csv.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from typing import Any

import affuse
from affuse.files import write_atomic
from affuse.report.csv_tables import csv_text
from affuse.samples import MODALITIES
from paired_runs import MODEL, SEEDS, compared, scores_of
from tables import told

ROOT = Path(__file__).parent
RESULTS, KEPT = ROOT / "results" / "gates.csv", ROOT.parent / "build" / "gates"
COLUMNS = ("truth", "gate", "against", "mae", "theirs", "difference", "low", "high", "seeds")
CORPORA: dict[str, dict[str, Any]] = {
    "mixed": {"truth": "mixed", "train": 1000},
    "shared": {"truth": "shared", "incongruent": 0.3, "train": 1000},
}
GATES: dict[str, dict[str, Any]] = {
    "agreement": {"gate": "agreement"},
    "contribution by sample": {"gate": "contribution", "granularity": "sample"},
}
FIXED = {f"fixed:{m}": {"gate": f"fixed:{m}"} for m in MODALITIES}
EPOCHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=None)
    jobs, rows = parser.parse_args().jobs, []
    for truth, options in CORPORA.items():
        corpus, scores = affuse.load_corpus("controlled", **options), {}
        for gate, chosen in {**GATES, **FIXED}.items():
            settings = {"epochs": EPOCHS, **{f"{MODEL}.{key}": x for key, x in chosen.items()}}
            out = KEPT / f"{truth}, {gate.replace(':', ' ')}"
            scores[gate] = scores_of(corpus, settings, ["mae"], out, jobs)["mae"]
        rows += [
            told(COLUMNS, truth, gate, other, *compared(scores[gate], scores[other]), SEEDS)
            for gate, other in product(GATES, FIXED)
        ]
        write_atomic(RESULTS, csv_text(COLUMNS, rows).encode())


if __name__ == "__main__":
    main()
