"""The door: whatever a command of `affuse` does is one call here, with the same words.

A corpus is a name of `affuse.corpora()` with its options, the path of a file or folder, or a
`Corpus` in memory. A checkpoint is what `train` returned, or the folder that it wrote. Options go
by their names, `epochs=20`; one for a single model of several stands in `settings`, as
`{"mult.layers": 2}`. `device` is where torch works: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import InputError
from affuse.harness import COMPARED, REFERENCE, UNIMODAL
from affuse.progress import OnWork, epochs_bar, say, work_bar

if TYPE_CHECKING:
    from affuse.evaluation.scorecard import Evaluation
    from affuse.fusion import FusionModel
    from affuse.harness.ablations import Ablations
    from affuse.harness.results import BenchmarkResult
    from affuse.incongruity.explanation import Explanation
    from affuse.runtime.predictor import Predictor
    from affuse.samples import Corpus
    from affuse.training.checkpoint import Checkpoint
    from affuse.training.presets import Plan
    from affuse.tuning.outcome import TuningResult

    CorpusLike = str | Path | Corpus
    CheckpointLike = str | Path | Checkpoint


def load(name_or_path: str | Path | None = None) -> Predictor:
    """A predictor of clips: `affuse.load("emotion").predict("interview.mp4")`.

    Args:
        name_or_path: a checkpoint that comes with affuse (`sentiment`, `emotion`), a folder that
            `export` wrote, or one that `train` wrote, which is exported first (extra `train`). By
            default all that come with affuse, side by side.

    Raises:
        InputError: no such checkpoint, or a damaged one.
    """
    from affuse.runtime.bundle import MODEL
    from affuse.runtime.predictor import Predictor

    folder = Path(name_or_path) if name_or_path is not None else None
    if folder is None or not (folder / "model.safetensors").exists() or (folder / MODEL).exists():
        return Predictor.from_pretrained(name_or_path)
    from affuse.optional import require

    require("torch", extra="train")
    exported = tempfile.TemporaryDirectory(prefix="affuse-")
    export(folder, exported.name, name=folder.resolve().name)
    predictor = Predictor.from_pretrained(exported.name)
    # It lives as long as what was read from it: `save_pretrained` copies its files.
    predictor.exported = exported
    return predictor


def corpora() -> dict[str, str]:
    """The corpora that `load_corpus` knows by name, each with what it is."""
    from affuse.readers.registry import corpora

    return {name: entry.summary for name, entry in corpora().items()}


def models() -> dict[str, str]:
    """The models that `train` knows by name, each with what it is."""
    from affuse.fusion import models

    return {name: entry.summary for name, entry in models().items()}


def load_corpus(corpus: str | Path, data: str | Path | None = None, /, **options: Any) -> Corpus:
    """Read a corpus: `load_corpus("mosi", "data/mosi", split="official")`.

    Args:
        corpus: a name of `corpora()`, or the path of a file or folder.
        data: where the corpus lies, for a name that needs it.
        options: of the reader; an unknown one is an error that names the nearest.
    """
    from affuse.readers.registry import load_corpus

    return _told(load_corpus(str(corpus), _path(data), options))


def create_model(
    model: str, corpus: CorpusLike, *, data: str | Path | None = None, **options: Any
) -> FusionModel:
    """The model as `train` begins with it on that corpus: its preset, then `options`."""
    from affuse.training.session import build_model

    return build_model(*_prepare(corpus, data, model, options))


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
        threads: of the processor.
        settings: options for one model, or with names that Python does not allow.
        progress: whether a bar is shown.
        options: of corpus, training and model.

    Raises:
        InputError: an unknown name or option, data that cannot be trained on, or a folder that
            holds something else.
    """
    from affuse.training.devices import processor_threads
    from affuse.training.fold_settings import require_found_here
    from affuse.training.session import (
        epochs_of,
        train_run,
        what_is_lacking,
        what_is_not_pretrained,
    )

    asked = {**(settings or {}), **options}
    read, planned = _prepare(corpus, data, model or REFERENCE, asked, fold)
    if model is None and len(read.modalities) == 1:
        say(f"{read.modalities[0]} alone: there is nothing to fuse, so that unimodal is trained")
        planned = _plan(corpus, data, UNIMODAL, asked, fold)
    read.require_fold(fold)
    require_found_here(asked, read, [fold])
    for told in (what_is_lacking, what_is_not_pretrained):
        if line := told(read, planned, fold):
            say(line)
    with ExitStack() as stack:
        stack.enter_context(processor_threads(threads))
        folder = _folder(out, stack)
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
            device=device,
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

    loaded = _checkpoint(checkpoint)
    read = _read_for(loaded, corpus, data, {**(settings or {}), **options})
    return evaluate_checkpoint(loaded, read, subsets=subsets, device=device)


def benchmark(
    corpus: CorpusLike,
    models: str | Sequence[str] = COMPARED,
    *,
    seeds: int = 5,
    out: str | Path | None = None,
    data: str | Path | None = None,
    singles: bool = True,
    subsets: bool = False,
    stress: bool = False,
    reference: str = REFERENCE,
    limit: int | None = None,
    drop_shared: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    command: str | None = None,
    **options: Any,
) -> BenchmarkResult:
    """Compare models on a corpus: validation selects, the test part is opened once a run.

    Args:
        models: names, or one text with commas; each single modality and the trivial prediction
            stand beside them.
        seeds: runs of each model and fold.
        out: results folder; what was stopped goes on there.
        singles: whether each single modality is trained too.
        subsets: whether the models are also tested with every subset of the modalities.
        stress: whether they are also tested on the test part spoilt in four kinds.
        reference: the model to which the others are compared, if it is among them.
        limit: use only the first samples of each part.
        drop_shared: leave training samples out that the test part holds too.
        jobs: processes at once; all cores by default.
        command: how the result says that it was made; by default this call.
    """
    said = command or _call(locals())
    from affuse.harness.request import Request
    from affuse.harness.run import run_benchmark
    from affuse.report.tables import write_folder

    work = _work(f"benchmark {_name(corpus)}", corpus, data, out, progress)
    with work as (folder, place, update):
        request = Request(
            corpus=place,
            data=_path(data),
            models=_names(models),
            seeds=seeds,
            settings={**(settings or {}), **options},
            singles=singles,
            subsets=subsets,
            stress=stress,
            reference=reference,
            limit=limit,
            drop_shared=drop_shared,
            jobs=jobs or os.cpu_count() or 1,
            device=device,
            command=said,
            memory=None if isinstance(corpus, str | Path) else corpus,
        )
        result, _ = run_benchmark(request, folder, update, on_notice=say)
        if out is not None:
            write_folder(result, folder)
    return result


def ablate(
    corpus: CorpusLike,
    *,
    seeds: int = 5,
    out: str | Path | None = None,
    data: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> Ablations:
    """Train HCT-MG whole, with each other gate and granularity, and without modality dropout."""
    from affuse.harness.ablations import run_ablations
    from affuse.harness.request import Request

    work = _work(f"ablate {_name(corpus)}", corpus, data, out, progress)
    with work as (folder, place, update):
        request = Request(
            corpus=place,
            data=_path(data),
            seeds=seeds,
            settings={**(settings or {}), **options},
            jobs=jobs or os.cpu_count() or 1,
            device=device,
            memory=None if isinstance(corpus, str | Path) else corpus,
        )
        return run_ablations(request, folder, update, on_notice=say)


def tune(
    corpus: CorpusLike,
    models: str | Sequence[str] = "hct_mg",
    *,
    trials: int = 30,
    out: str | Path | None = None,
    data: str | Path | None = None,
    space: str | Path | None = None,
    max_parameters: int | None = None,
    fold: int | None = None,
    seed: int = 0,
    storage: str | Path | None = None,
    study: str | None = None,
    jobs: int = 1,
    device: str = "auto",
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
    **options: Any,
) -> TuningResult:
    """Search for better settings by the validation part; the test part stays closed.

    Args:
        models: each tuned by itself, with as many trials.
        trials: of each model, those of earlier calls included.
        out: a file for the settings that were found, as YAML.
        space: YAML file that changes what is searched.
        max_parameters: larger models are turned down untrained.
        fold: in which to search; by default in each by itself.
        storage: database of the studies; by default a file beside `out`.
        study: its name; by default the corpus'.
        options: what they fix is not searched.
    """
    from affuse.optional import require

    require("torch", extra="train")
    require("optuna", extra="tune")
    from affuse.tuning.search import TuningRequest, run_search
    from affuse.tuning.space import read_space
    from affuse.tuning.storage import find_database

    work = _work(f"tune {_name(corpus)}", corpus, data, None, progress, "trials")
    with work as (_, place, update):
        request = TuningRequest(
            corpus=place,
            database=find_database(None if storage is None else str(storage), _path(out)),
            data=_path(data),
            models=_names(models),
            trials=trials,
            settings={**(settings or {}), **options},
            space_changes=read_space(Path(space)) if space else {},
            fold=fold,
            seed=seed,
            study=study,
            max_parameters=max_parameters,
            jobs=jobs,
            device=device,
        )
        found = run_search(request, update, say)
    if out is not None:
        found.write_yaml(Path(out))
    return found


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

    loaded = _checkpoint(checkpoint)
    other = None if against is None else _checkpoint(against)
    read = _read_for(loaded, corpus, data, {**(settings or {}), **options})
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


def export(
    checkpoint: CheckpointLike,
    out: str | Path,
    *,
    name: str = "",
    corpus: CorpusLike | None = None,
    data: str | Path | None = None,
    int8: bool = False,
    evaluation: str | Path | Evaluation | None = None,
    terms: str = "",
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Write a trained model as ONNX, with its config and a model card, for use without torch.

    Args:
        out: the folder, which `load` takes.
        name: of the model; by default the folder's.
        corpus: what it was trained on: its validation part calibrates the conflict score.
        int8: store weights as 8-bit integers.
        evaluation: for the model card: what `evaluate` returned, or its JSON file.
        terms: of the training data, for the model card.

    Returns:
        The folder.
    """
    from affuse.training.export_onnx import export_checkpoint
    from affuse.training.model_card import read_evaluation

    loaded, folder = _checkpoint(checkpoint), Path(out)
    valid: Sequence[Any] = ()
    if corpus is not None:
        read = _read_for(loaded, corpus, data, {**(settings or {}), **options})
        loaded.check_corpus(read, loaded.folder)
        valid = list(loaded.fold_of(read).valid)
    tested: Mapping[str, Any] | None = None
    if isinstance(evaluation, str | Path):
        tested = read_evaluation(Path(evaluation))
    elif evaluation is not None:
        tested = evaluation.to_dict()
    export_checkpoint(
        loaded, folder, name=name, valid=valid, terms=terms, int8=int8, evaluation=tested
    )
    return folder


def read_results(path: str | Path) -> BenchmarkResult:
    """The result of a benchmark again, from its folder, finished or not, or its result.json."""
    from affuse.harness.assemble import read_result

    return read_result(Path(path))


def _path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)


def _names(models: str | Sequence[str]) -> tuple[str, ...]:
    listed = models.split(",") if isinstance(models, str) else models
    return tuple(name.strip() for name in listed if name.strip())


def _checkpoint(checkpoint: CheckpointLike) -> Checkpoint:
    from affuse.training.checkpoint import load_checkpoint

    return load_checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint


def _prepare(
    corpus: CorpusLike,
    data: str | Path | None,
    model: str,
    settings: Mapping[str, Any],
    fold: int = 0,
) -> tuple[Corpus, Plan]:
    """The corpus, by those of the settings that are its reader's, and how a model trains on it."""
    from affuse.readers.registry import load_corpus, without_untaught
    from affuse.training.presets import corpus_options

    planned = _plan(corpus, data, model, settings, fold)
    if not isinstance(corpus, str | Path):
        return _told(without_untaught(corpus)), planned
    name, place = str(corpus), _path(data)
    return _told(load_corpus(name, place, corpus_options(name, settings, place))), planned


def _plan(
    corpus: CorpusLike,
    data: str | Path | None,
    model: str,
    settings: Mapping[str, Any],
    fold: int = 0,
) -> Plan:
    from affuse.training.presets import plan

    if not isinstance(corpus, str | Path):
        _require_no_data(data)
        return plan(corpus, model, settings, fold=fold)
    return plan(str(corpus), model, settings, _path(data), fold)


def _told(corpus: Corpus) -> Corpus:
    """The corpus, once it has been said what was read otherwise than it stands."""
    for line in corpus.notices:
        say(line)
    return corpus


def _require_no_data(data: str | Path | None) -> None:
    if data is not None:
        raise InputError("data of a corpus in memory", remedy="leave it out")


def _read_for(
    checkpoint: Checkpoint,
    corpus: CorpusLike,
    data: str | Path | None,
    options: Mapping[str, Any],
) -> Corpus:
    """The corpus as the checkpoint was trained on it, but for what `options` change."""
    from affuse.readers.registry import load_corpus
    from affuse.training.presets import corpus_options

    if not isinstance(corpus, str | Path):
        _require_no_data(data)
        if options:
            problem = f"option '{next(iter(options))}' of a corpus in memory"
            raise InputError(problem, remedy="make the corpus with it")
        return corpus
    trained = corpus_options(str(corpus), checkpoint.corpus.get("options", {}))
    return _told(load_corpus(str(corpus), _path(data), {**trained, **options}))


def _folder(out: str | Path | None, stack: ExitStack) -> Path:
    """Where work is kept, or for as long as it lasts."""
    if out is not None:
        return Path(out)
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affuse-"))) / "work"


def _name(corpus: CorpusLike) -> str:
    return str(corpus) if isinstance(corpus, str | Path) else corpus.name


@contextmanager
def _work(
    title: str,
    corpus: CorpusLike,
    data: str | Path | None,
    out: str | Path | None,
    progress: bool,
    unit: str = "epochs",
) -> Iterator[tuple[Path, str, OnWork]]:
    """For work in processes: its folder, what they read the corpus from, and its bar."""
    from affuse.readers.stored_write import store_corpus

    with ExitStack() as stack:
        folder = _folder(out, stack)
        place = str(corpus)
        if not isinstance(corpus, str | Path):
            _require_no_data(data)
            # In the stored format; hidden, for the folder is not yet one of results.
            stored = folder / ".corpus" / corpus.fingerprint()
            if not stored.exists():
                store_corpus(corpus, stored)
            place = str(stored)
        yield folder, place, stack.enter_context(work_bar(title, unit, quiet=not progress))


def _call(arguments: Mapping[str, Any]) -> str:
    """The call of `benchmark` to stand in the result, less what does not change it."""
    asked = {**arguments, **arguments["options"]}
    corpus = asked.pop("corpus")
    name = repr(str(corpus)) if isinstance(corpus, str | Path) else f"<{corpus.name}>"
    known = signature(benchmark).parameters
    left_out = {"options", "out", "jobs", "device", "progress", "command"}
    further = (
        f", {key}={value!r}"
        for key, value in asked.items()
        if key not in left_out and (key not in known or value != known[key].default)
    )
    return f"affuse.benchmark({name}{''.join(further)})"
