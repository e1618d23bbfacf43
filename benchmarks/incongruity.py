"""What `affuse.incongruity` finds where the truth is known, and what crossmodal attention costs.

- `conflict`: scores of the controlled corpus with 30% of conflicts, five corpora.
- `ravdess`: scores of RAVDESS where the voice of some takes is that of another take of the same
  actor, four folds.
- `kept`: how often HCT-MG gives the answer of the modality that its gate trusts there; trains four
  models.
- `mitigation`: latent incongruity of MulT and HCT-MG and their accuracy on the hard slice, five
  seeds on the controlled corpus. Trains what `--checkpoints` lacks, ten models, in an hour or less.
- `shared`: the same where all modalities tell the truth and any may contradict, with the gate that
  sees agreement, and how far each model is from the truth.

    python benchmarks/incongruity.py conflict ravdess kept mitigation shared --data RAVDESS

Each part replaces its own lines of results/incongruity.csv.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from affuse import __version__
from affuse.evaluation.held_out import run_model
from affuse.evaluation.statistics import summarise
from affuse.files import write_atomic
from affuse.incongruity.conflict import fit_conflict
from affuse.incongruity.hard import hard_samples
from affuse.incongruity.latent import WAYS, LatentIncongruity, latent_incongruity
from affuse.incongruity.planted import ConflictTruth, evaluate_conflicts, plant_conflicts
from affuse.incongruity.readings import fit_readers
from affuse.incongruity.tendency import label_tendency, right, tendency
from affuse.readers import load_corpus
from affuse.samples import MODALITIES, Corpus, Sample, targets_of
from affuse.tasks import Bools, Task
from affuse.training.checkpoint import Checkpoint
from affuse.training.normalise import normalise
from affuse.training.presets import corpus_options, plan
from affuse.training.session import train_run

OUT = Path(__file__).parent / "results" / "incongruity.csv"
COLUMNS = ("part", "corpus", "model", "seed", "measure", "value", "low", "high", "affuse", "torch")
SEEDS = range(5)
SHARE = {"incongruent": 0.3}
SHARED = {**SHARE, "truth": "shared", "train": 1500, "test": 1000}
Row = tuple[Any, ...]
"""Corpus, model, seed or `mean`, measure, value."""


def conflict(_: argparse.Namespace) -> Iterator[Row]:
    """Scores against planted conflicts; 2,000 samples, of which chance moves calibration little."""
    for seed in SEEDS:
        corpus = load_corpus("controlled", options={**SHARE, "test": 2000, "seed": seed})
        split, _normaliser = normalise(corpus.folds[0], "train")
        readers = fit_readers(corpus.task, split.train, split.valid)
        found = fit_conflict(readers, split.valid).score(split.test)
        yield from _conflict_rows(
            "controlled, incongruent=0.3", seed, evaluate_conflicts(found, split.test)
        )


def ravdess(arguments: argparse.Namespace) -> Iterator[Row]:
    """Another take's voice in 30% of the takes of validation and test; training stays as it is."""
    corpus = _ravdess(arguments.data)
    for number, whole in enumerate(corpus.folds):
        fold, _normaliser = normalise(whole, "train")
        readers = fit_readers(corpus.task, fold.train, fold.valid)
        valid, test = (_planted(corpus, part, number) for part in (fold.valid, fold.test))
        found = fit_conflict(readers, valid).score(test)
        yield from _conflict_rows(corpus.name, number, evaluate_conflicts(found, test))


def kept(arguments: argparse.Namespace) -> Iterator[Row]:
    """Whether HCT-MG keeps the answer of the modality that its gate trusts, with such takes."""
    corpus = _ravdess(arguments.data)
    for number, whole in enumerate(corpus.folds):
        checkpoint = _trained(corpus, "ravdess", "hct_mg", 0, number, arguments.checkpoints)
        samples = _planted(corpus, checkpoint.prepare(whole.test), number)
        for measure, value in _kept(checkpoint, samples).items():
            yield corpus.name, "hct_mg", number, measure, value


def mitigation(arguments: argparse.Namespace) -> Iterator[Row]:
    """Damage and flips by crossmodal blocks, and accuracy where modalities contradict."""
    corpus = load_corpus("controlled", options={**SHARE, "test": 1000})
    name = "controlled, incongruent=0.3"
    split, _normaliser = normalise(corpus.folds[0], "train")
    hard = hard_samples(fit_readers(corpus.task, split.train, split.valid), split.test)
    yield name, "", "all", "hard share", float(hard.mask.mean())
    # Text bears the truth: who heard it without fault would be right so often.
    carried = np.array([[s.truth["carried"]["text"]] for s in split.test])
    heard = _right_of(corpus.task, carried, split.test)
    yield name, "what text carries", "all", "accuracy", float(np.nanmean(heard))
    yield name, "what text carries", "all", "accuracy, hard", float(np.nanmean(heard[hard.mask]))
    for seed in SEEDS:
        for model in ("mult", "hct_mg"):
            checkpoint = _trained(corpus, "controlled", model, seed, 0, arguments.checkpoints)
            hits = _right(checkpoint, split.test)
            yield name, model, seed, "accuracy", float(np.nanmean(hits))
            yield name, model, seed, "accuracy, hard", float(np.nanmean(hits[hard.mask]))
            latent = latent_incongruity(model, checkpoint.model, corpus.task, split)
            yield from _latent_rows(name, model, seed, latent, hard.mask, (None, "text"))


def shared(arguments: argparse.Namespace) -> Iterator[Row]:
    """Damage and flips where any modality may be the one to trust, and the error of the answer."""
    corpus = load_corpus("controlled", options=SHARED)
    name = "controlled, truth=shared, incongruent=0.3"
    split, _normaliser = normalise(corpus.folds[0], "train")
    hard = hard_samples(fit_readers(corpus.task, split.train, split.valid), split.test)
    targets = targets_of(split.test)
    for seed in SEEDS:
        for model, settings in (("mult", {}), ("hct_mg", {"gate": "agreement"})):
            place = arguments.checkpoints / f"shared-{model}-seed{seed}"
            planned = plan("controlled", model, {**SHARED, "epochs": 10, **settings})
            checkpoint = train_run(corpus, planned, seed=seed, folder=place, resume=True)
            said = corpus.task.decode(run_model(checkpoint.model, split.test).prediction)
            yield name, model, seed, "mae", float(np.abs(said - targets).mean())
            latent = latent_incongruity(model, checkpoint.model, corpus.task, split)
            yield from _latent_rows(name, model, seed, latent, hard.mask, (None, *MODALITIES))


def _latent_rows(
    corpus: str,
    model: str,
    seed: int,
    latent: LatentIncongruity,
    hard: Bools,
    targets: Sequence[str | None],
) -> Iterator[Row]:
    """Damage and flips of `targets`, None being all of them; on hard samples too."""
    for way in WAYS:
        for words, rows in (("", None), (", hard", hard)):
            for target in targets:
                found = latent.overall(way, rows, target)
                where = f"{way}, {target or 'all targets'}{words}"
                yield corpus, model, seed, f"damage, {where}", found.damage.mean
                yield corpus, model, seed, f"flip rate, {where}", found.flip_rate.mean


def _ravdess(data: Path | None) -> Corpus:
    if data is None:
        raise SystemExit("ravdess needs --data, the folder of RAVDESS")
    return load_corpus("ravdess", data, corpus_options("ravdess", {}, data))


def _planted(corpus: Corpus, samples: Sequence[Sample], seed: int) -> list[Sample]:
    return plant_conflicts(corpus.task, samples, "audio", "vision", seed=seed)


def _trained(
    corpus: Corpus, name: str, model: str, seed: int, fold: int, folder: Path
) -> Checkpoint:
    place = folder / f"{name}-{model}-fold{fold}-seed{seed}"
    planned = plan(name, model, SHARE if name == "controlled" else {})
    return train_run(corpus, planned, seed=seed, fold=fold, folder=place, resume=True)


def _conflict_rows(corpus: str, seed: int, found: ConflictTruth | None) -> Iterator[Row]:
    assert found is not None
    for measure in ("auroc", "pair_accuracy", "span_overlap", "calibration_error"):
        yield corpus, "", seed, measure, getattr(found, measure)


def _right(checkpoint: Checkpoint, samples: Sequence[Sample]) -> Any:
    return _right_of(checkpoint.task, run_model(checkpoint.model, samples).prediction, samples)


def _right_of(task: Task, outputs: Any, samples: Sequence[Sample]) -> Any:
    targets = np.stack([s.target for s in samples if s.target is not None])
    return right(tendency(task, outputs), label_tendency(task, targets))


def _kept(checkpoint: Checkpoint, samples: Sequence[Sample]) -> dict[str, float]:
    """How often the answer is that of the primary modality alone, and of the best of the others."""
    found = run_model(checkpoint.model, samples)
    answer = tendency(checkpoint.task, found.prediction)[:, 0]
    alone = []
    for modality in checkpoint.model.modalities:
        one = run_model(checkpoint.model, [sample.keep([modality]) for sample in samples])
        alone.append(tendency(checkpoint.task, one.prediction)[:, 0])
    agrees = np.stack(alone, axis=1) == answer[:, None]
    primary = found.primary[:, None] == np.arange(len(alone))
    conflict = np.array([sample.truth["conflict"] for sample in samples])
    measures = {}
    for words, rows in (("in conflict", conflict), ("without conflict", ~conflict)):
        others = np.where(primary, 0, agrees)[rows].mean(axis=0)
        measures[f"takes {words}"] = float(rows.sum())
        measures[f"answer of the primary kept, {words}"] = float(
            agrees[primary & rows[:, None]].mean()
        )
        measures[f"answer of another, {words}"] = float(others.max())
    return measures


def _with_means(rows: Sequence[Row]) -> Iterator[Row]:
    """Each row without an interval, then the means over seeds with Student's."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for corpus, model, seed, measure, value in rows:
        yield corpus, model, seed, measure, value, "", ""
        groups.setdefault((corpus, model, measure), []).append(value)
    for (corpus, model, measure), values in groups.items():
        if len(values) > 1:
            found = summarise(values)
            yield corpus, model, "mean", measure, found.mean, *found.ci95


def _write(part: str, rows: Sequence[Row]) -> None:
    kept: list[Row] = []
    if OUT.exists():
        kept = [tuple(row) for row in csv.reader(io.StringIO(OUT.read_text()))][1:]
    versions = __version__, torch.__version__
    new = [
        (part, *(round(v, 4) if isinstance(v, float) else v for v in row), *versions)
        for row in rows
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *(row for row in kept if row[0] != part), *new])
    write_atomic(OUT, text.getvalue().encode())


def main() -> None:
    parts = {part.__name__: part for part in (conflict, ravdess, kept, mitigation, shared)}
    parser = argparse.ArgumentParser(description="Conflict scores and latent incongruity.")
    parser.add_argument("parts", nargs="+", choices=list(parts))
    parser.add_argument("--data", type=Path, help="the folder of RAVDESS")
    parser.add_argument("--checkpoints", type=Path, default=Path("incongruity-checkpoints"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=150)
    for part in arguments.parts:
        found = []
        for row in parts[part](arguments):
            console.print(part, *row, highlight=False, markup=False)
            found.append(row)
        _write(part, list(_with_means(found)))


if __name__ == "__main__":
    main()
