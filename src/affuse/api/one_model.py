"""One model: trained, tested, explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.arguments import (
    as_checkpoint,
    as_path,
    folder_or_temporary,
    logs_in,
    plan_for,
    prepare,
    read_for,
)
from affuse.harness import REFERENCE, UNIMODAL
from affuse.progress import epochs_bar, say, work_bar

if TYPE_CHECKING:
    from affuse.api.arguments import CheckpointLike, CorpusLike
    from affuse.evaluation.scorecard import Evaluation
    from affuse.incongruity.explanation import Explanation
    from affuse.training.checkpoint import Checkpoint


def train(
    corpus: CorpusLike,
    model: str | None = None,
    *,
    out: str | Path | None = None,
    data: str | Path | None = None,
    seed: int = 0,
    fold: int = 0,
    resume: bool = False,
    threads: int = 1,
    device: str = "auto",
    accelerator: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32",
    strategy: str = "ddp",
    deterministic: bool = False,
    log: str | Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> Checkpoint:
    """Train a model on a corpus; validation selects the epoch, the test part stays closed.

    Args:
        model: by default `hct_mg`, or `unimodal` where a corpus has one modality.
        out: folder of the checkpoint; without it nothing is kept on disk.
        fold: of a corpus with several.
        resume: go on with what an interrupted run left in `out`.
        threads: of the processor, in each process.
        devices: of each machine, with a process each that takes its share of every batch.
        nodes: machines that run this same call (`docs/scale.md`).
        precision: `32` or `bf16-mixed`.
        deterministic: only operators that give the same bits each time on a GPU.
        log: `csv`, `tensorboard`, `wandb` and `mlflow`: what is written of epochs in `out`.
        settings: options for one model, or with names that Python does not allow.
        progress: whether a bar is shown.
        options: of corpus, training and model.

    Raises:
        InputError: an unknown name or option, data that cannot be trained on, or a folder that
            holds something else.
    """
    from affuse.training.compute import Compute
    from affuse.training.devices import processor_threads
    from affuse.training.fold_settings import require_found_here
    from affuse.training.session import (
        epochs_of,
        train_run,
        what_is_lacking,
        what_is_not_pretrained,
    )

    compute = Compute(device, accelerator, devices, nodes, precision, strategy, deterministic)
    compute.require()
    logs = logs_in(log, as_path(out))
    asked = {**(settings or {}), **options}
    read, planned = prepare(corpus, data, model or REFERENCE, asked, fold)
    if model is None and len(read.modalities) == 1:
        say(f"{read.modalities[0]} alone: there is nothing to fuse, so that unimodal is trained")
        planned = plan_for(corpus, data, UNIMODAL, asked, fold)
    read.require_fold(fold)
    require_found_here(asked, read, [fold])
    for told in (what_is_lacking, what_is_not_pretrained):
        if line := told(read, planned, fold):
            say(line)
    with ExitStack() as stack:
        stack.enter_context(processor_threads(threads))
        folder = folder_or_temporary(out, stack)
        on_epoch = stack.enter_context(
            epochs_bar(
                f"{planned.model} on {read.name}",
                epochs_of(read, planned, fold),
                quiet=not progress,
            )
        )
        checkpoint = train_run(
            *(read, planned),
            seed=seed,
            folder=folder,
            fold=fold,
            resume=resume,
            on_epoch=on_epoch,
            compute=compute,
            log=logs,
        )
    return checkpoint if out is not None else replace(checkpoint, folder=None)


def evaluate(
    checkpoint: CheckpointLike,
    corpus: CorpusLike,
    *,
    data: str | Path | None = None,
    subsets: bool = False,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Evaluation:
    """Score a checkpoint on the corpus' test part, beside the trivial prediction of that fold.

    Args:
        subsets: also with every subset of the modalities.
        options: of the corpus, over those that the checkpoint was trained with.

    Raises:
        InputError: other features or another task, no labels, or test samples that the checkpoint
            was trained on.
    """
    from affuse.evaluation.scorecard import evaluate_checkpoint

    loaded = as_checkpoint(checkpoint)
    read = read_for(loaded, corpus, data, {**(settings or {}), **options})
    return evaluate_checkpoint(loaded, read, subsets=subsets, device=device)


def explain(
    checkpoint: CheckpointLike,
    corpus: CorpusLike,
    out: str | Path | None = None,
    *,
    data: str | Path | None = None,
    against: CheckpointLike | None = None,
    samples: Sequence[str] = (),
    with_media: bool = False,
    copy_media: bool = False,
    seed: int = 0,
    threads: int = 1,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> Explanation:
    """Whom a model trusts, where modalities disagree, and what fusion costs.

    Args:
        out: a file for the report, a page for any browser.
        against: another checkpoint beside it.
        samples: ids to look at one by one; by default some that tell most.
        with_media: whether the report plays their recordings, of a folder of clips.
        copy_media: also, but from a folder beside it, into which they are copied.
        seed: of probes and spoilt input.

    Raises:
        InputError: other features or another task, labels that are missing, an unknown id, or test
            samples that a checkpoint was trained on.
    """
    from affuse.files import write_atomic
    from affuse.incongruity.explanation import explain
    from affuse.report.case_media import media_of, require_recordings
    from affuse.report.explanation_page import explanation_page
    from affuse.samples import labelled
    from affuse.training.devices import processor_threads

    loaded = as_checkpoint(checkpoint)
    other = None if against is None else as_checkpoint(against)
    read = read_for(loaded, corpus, data, {**(settings or {}), **options})
    if with_media := with_media or copy_media:
        require_recordings(read.recordings, read.name)
    bar = work_bar(f"explain {loaded.name}", "steps", quiet=not progress)
    with processor_threads(threads), bar as update:
        found = explain(
            loaded, read, against=other, samples=samples, seed=seed, on_step=update, device=device
        )
    if absent := len(labelled(loaded.fold_of(read).test)) - found.samples:
        say(f"{absent} test samples are left out: they lack all that a model reads")
    if out is not None:
        ids = [case.id for case in found.cases] if with_media else []
        media = media_of(ids, read.recordings, Path(out), copy=copy_media)
        write_atomic(Path(out), explanation_page(found, media).encode())
    return found
