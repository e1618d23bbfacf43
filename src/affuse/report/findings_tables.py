"""Tables of what a checkpoint, its explanation or its ablations showed, for the screen."""

from __future__ import annotations

import math
from typing import Any

from rich.table import Table

from affuse.evaluation.scorecard import Evaluation
from affuse.harness.ablations import Ablations
from affuse.harness.request import REFERENCE
from affuse.incongruity.explanation import Explanation
from affuse.metrics.scores import heading
from affuse.report.tables import cell, hard_rows


def ablation_table(found: Ablations) -> Table:
    """An ablation a row, with the headline metric on all and on hard samples."""
    first = found.rows[0][1]
    metrics = list(first.models[REFERENCE].metrics)[:2]
    hard = "hard" in first.extra
    extra = [f"{heading(metrics[0])}, hard"] if hard else []
    title = f"{REFERENCE} on {first.corpus}"
    table = Table("ablation", *map(heading, metrics), *extra, "question", title=title)
    for ablation, result in found.rows:
        scores = result.models[REFERENCE].metrics
        cells = [cell(scores.get(m), "\n") for m in metrics]
        if hard:
            cells.append(hard_rows(result.extra["hard"], metrics[:1], "\n")[0][1])
        table.add_row(ablation.name, *cells, ablation.question)
    return table


def evaluation_table(found: Evaluation) -> Table:
    """Each metric beside the trivial prediction's, then each subset of the modalities."""
    table = Table("metric", "trivial", found.model, title=f"{found.corpus}, test part")
    for metric, value in found.metrics.items():
        trivial = found.trivial.get(metric, math.nan)
        table.add_row(heading(metric), f"{trivial:.3f}", f"{value:.3f}")
    headline = next(iter(found.metrics))
    for kept, scores in found.subsets.items():
        table.add_row(f"{heading(headline)}, {kept} only", "", f"{scores[headline]:.3f}")
    return table


def explanation_table(found: Explanation) -> Table:
    """Scores on slices, and what crossmodal blocks cost, model by model."""
    metrics = found.task.metrics[:3]
    table = Table(
        "model", "slice", "samples", *map(heading, metrics), "flip rate", "damage",
        title=f"{found.corpus}, test part",
        caption="flip rate and damage: of crossmodal blocks, by refitted probes",
    )  # fmt: skip
    hard = int(found.hard.mask.sum())
    slices: dict[str, tuple[int, Any]] = {
        "all": (found.samples, None),
        "hard": (hard, found.hard.mask),
        "other": (found.samples - hard, ~found.hard.mask),
    }
    for model in found.models:
        for part, scores in model.scores.items():
            count, rows = slices[part]
            cost = ["—", "—"]
            if model.latent is not None and model.latent.blocks:
                overall = model.latent.overall("refitted", rows)
                cost = [f"{overall.flip_rate.mean:.3f}", f"{overall.damage.mean:+.3f}"]
            table.add_row(
                model.name, part, str(count), *(f"{scores[m]:.3f}" for m in metrics), *cost
            )
    return table
