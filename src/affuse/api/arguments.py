"""What the calls take, in all its forms: names and paths, or objects in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import InputError
from affuse.progress import OnWork, say, work_bar

if TYPE_CHECKING:
    from affuse.samples import Corpus
    from affuse.training.checkpoint import Checkpoint
    from affuse.training.presets import Plan
    from affuse.training.run_log import RunLog

    CorpusLike = str | Path | Corpus
    CheckpointLike = str | Path | Checkpoint


def as_path(place: str | Path | None) -> Path | None:
    return None if place is None else Path(place)


def as_names(models: str | Sequence[str]) -> tuple[str, ...]:
    listed = models.split(",") if isinstance(models, str) else models
    return tuple(name.strip() for name in listed if name.strip())


def as_checkpoint(checkpoint: CheckpointLike) -> Checkpoint:
    from affuse.training.checkpoint import load_checkpoint

    return load_checkpoint(Path(checkpoint)) if isinstance(checkpoint, str | Path) else checkpoint


def prepare(
    corpus: CorpusLike,
    data: str | Path | None,
    model: str,
    settings: Mapping[str, Any],
    fold: int = 0,
) -> tuple[Corpus, Plan]:
    """The corpus, by those of the settings that are its reader's, and how a model trains on it."""
    from affuse.readers.registry import load_corpus, without_untaught
    from affuse.training.presets import corpus_options

    planned = plan_for(corpus, data, model, settings, fold)
    if not isinstance(corpus, str | Path):
        return told(without_untaught(corpus)), planned
    name, place = str(corpus), as_path(data)
    return told(load_corpus(name, place, corpus_options(name, settings, place))), planned


def plan_for(
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
    return plan(str(corpus), model, settings, as_path(data), fold)


def told(corpus: Corpus) -> Corpus:
    """The corpus, once it has been said what was read otherwise than it stands."""
    for line in corpus.notices:
        say(line)
    return corpus


def _require_no_data(data: str | Path | None) -> None:
    if data is not None:
        raise InputError("data of a corpus in memory", remedy="leave it out")


def read_for(
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
    return told(load_corpus(str(corpus), as_path(data), {**trained, **options}))


def logs_in(asked: str | Sequence[str], folder: Path | None) -> RunLog | None:
    """What is written of epochs, in the folder `logs` of that one.

    Raises:
        InputError: logs that there are not, or no folder for them.
    """
    from affuse.training.run_log import FOLDER, RunLog, log_kinds

    kinds = log_kinds(asked)
    if not kinds:
        return None
    if folder is None:
        raise InputError("logs of what is not kept", remedy="give --out, or leave out --log")
    return RunLog(kinds, folder / FOLDER)


def folder_or_temporary(out: str | Path | None, stack: ExitStack) -> Path:
    """Where work is kept, or for as long as it lasts."""
    if out is not None:
        return Path(out)
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="affuse-"))) / "work"


def name_of(corpus: CorpusLike) -> str:
    return str(corpus) if isinstance(corpus, str | Path) else corpus.name


@contextmanager
def work_in_processes(
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
        folder = folder_or_temporary(out, stack)
        place = str(corpus)
        if not isinstance(corpus, str | Path):
            _require_no_data(data)
            # In the stored format; hidden, for the folder is not yet one of results.
            stored = folder / ".corpus" / corpus.fingerprint()
            if not stored.exists():
                store_corpus(corpus, stored)
            place = str(stored)
        yield folder, place, stack.enter_context(work_bar(title, unit, quiet=not progress))
