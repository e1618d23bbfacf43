"""A training run from corpus to checkpoint: normalise, build, fit, and resume after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.corpus import Corpus, Split
from affuse.corpora.normalise import Normaliser, normalise, normalise_by_group
from affuse.errors import InputError
from affuse.files import to_strict_json, write_atomic
from affuse.models import create_model, models
from affuse.samples import Sample
from affuse.train.checkpoint import CONFIG, Checkpoint, load_checkpoint
from affuse.train.fit import OnEpoch, fit
from affuse.train.presets import Plan

RUN = "run.json"
STATE = "training"


def train_run(
    corpus: Corpus,
    plan: Plan,
    *,
    seed: int,
    folder: Path,
    fold: int = 0,
    resume: bool = False,
    on_epoch: OnEpoch | None = None,
) -> Checkpoint:
    """Train one model on one fold and leave its checkpoint in `folder`.

    The test part of the fold is never touched: neither its features nor its targets.

    Args:
        resume: go on with what an interrupted run left in `folder`.
        on_epoch: told each epoch and its history record.

    Raises:
        InputError: a folder that holds another run, or one when `resume` is not asked for.
    """
    identity = {
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint(),
        "fold": fold,
        "model": plan.model,
        "options": plan.options,
        "train": plan.train.model_dump(),
        "seed": seed,
    }
    if _claim(folder, identity, resume):
        return load_checkpoint(folder)
    whole = corpus.folds[fold]
    # Standardised without the test part; it follows the normaliser when it is opened.
    visible, normaliser = normalise(Split(whole.train, whole.valid, ()), plan.train.normalise)
    name = plan.model.partition(":")[0]
    options = {**models()[name].cls.options_for(typical_lengths(visible.train)), **plan.options}
    build = partial(create_model, plan.model, corpus.widths, corpus.task.outputs, options)
    result = fit(
        build,
        corpus.task,
        visible.train,
        visible.valid,
        plan.train,
        seed=seed,
        folder=folder / STATE,
        on_epoch=on_epoch,
    )
    about = {k: identity[k] for k in ("fingerprint", "fold")}
    about |= {"name": corpus.name, "options": dict(corpus.options)}
    about |= {"features": dict(corpus.features)}
    training = {
        "seed": seed,
        "options": plan.train.model_dump(),
        "best_epoch": result.best_epoch,
        "history": result.history,
    }
    checkpoint = Checkpoint(name, result.model, corpus.task, normaliser, about, training)
    checkpoint.save(folder)
    shutil.rmtree(folder / STATE, ignore_errors=True)
    return checkpoint


def prepare(
    samples: Sequence[Sample], normaliser: Normaliser | None, training: Mapping[str, Any]
) -> list[Sample]:
    """Samples as the checkpoint's model expects them."""
    if normaliser is None:
        return list(samples)
    mode = training.get("options", {}).get("normalise", "train")
    grouped = normalise_by_group(samples) if mode == "speaker" else samples
    return normaliser.apply_all([s.keep(normaliser.means) for s in grouped])


def typical_lengths(samples: Sequence[Sample]) -> dict[str, int]:
    """Median number of steps of each modality."""
    lengths: dict[str, list[int]] = {}
    for sample in samples:
        for modality, sequence in sample.sequences.items():
            lengths.setdefault(modality, []).append(len(sequence))
    return {modality: int(np.median(counts)) for modality, counts in lengths.items()}


def _claim(folder: Path, identity: Mapping[str, Any], resume: bool) -> bool:
    """Make the folder this run's own; True where the run is finished already."""
    file = folder / RUN
    wanted = json.loads(to_strict_json(identity))
    if not file.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                "exists and holds something else", remedy="give an empty folder", source=folder
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot be made ({error.strerror})",
                remedy="give a folder that is yours to write",
                source=folder,
            ) from None
        write_atomic(file, to_strict_json(identity).encode())
        return False
    if not resume:
        raise InputError(
            "holds a run already", remedy="add --resume or give another folder", source=folder
        )
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        raise InputError("cannot be read", remedy="give another folder", source=file) from None
    known = found if isinstance(found, dict) else {}
    differing = sorted(key for key in wanted if known.get(key) != wanted[key])
    if differing:
        raise InputError(
            f"holds a run that differs in {', '.join(differing)}",
            remedy="repeat its command, or give another folder",
            source=folder,
        )
    return (folder / CONFIG).exists()
