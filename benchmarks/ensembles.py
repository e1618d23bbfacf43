"""What models say by the mean answer of all their seeds, as members of one ensemble would.

    python benchmarks/ensembles.py RESULTS

RESULTS is the folder of a benchmark (`affuse benchmark ... --out RESULTS`). Each row of several
modalities is an ensemble of as many networks as there were seeds, so that what an ensemble gains is
seen at equal terms, without training anything. Differences to `hct_mg` are taken over groups of
test samples alone: there is one ensemble of each. Writes benchmarks/results/ensembles.csv.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from affuse.evaluation.bootstrap import FoldAnswers, paired_bootstrap, resampled_scores
from affuse.harness import REFERENCE
from affuse.harness.model_runs import runs_of
from affuse.harness.records import read_about, read_runs
from affuse.tasks import Task
from tables import keep, told

RESULTS = Path(__file__).parent / "results" / "ensembles.csv"
COLUMNS = ("corpus", "model", "networks", "metric", "value", "difference", "low", "high")


def joined(fold: FoldAnswers) -> FoldAnswers:
    """The mean of raw outputs of all seeds, as if there were one."""
    return replace(fold, predictions=fold.predictions.mean(axis=0, keepdims=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path)
    about = read_about(place := parser.parse_args().results)
    task, runs = Task.from_config(about.task), read_runs(place, about)
    metric, _ = task.selection
    scores, networks = {}, {}
    for model in dict.fromkeys(run.record["model"] for run in runs):
        whole = runs_of([run for run in runs if run.record["model"] == model], about.folds)
        networks[model] = len(whole.seeds) * whole.members
        folds = [joined(fold) for fold in whole.tested(about.groups)]
        scores[model] = resampled_scores(task, folds, [metric])[metric]
    rows = []
    for model, found in scores.items():
        apart = paired_bootstrap(scores[REFERENCE], found)
        values = (found.measured.mean(), apart.mean, *apart.ci95)
        cells = [round(float(value), 4) for value in values]
        rows.append(told(COLUMNS, about.corpus, model, networks[model], metric, *cells))
    keep(RESULTS, COLUMNS, rows, key=("corpus", "model"))


if __name__ == "__main__":
    main()
