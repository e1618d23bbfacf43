"""The one registry of corpora: a reader is a function, its options a pydantic model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from affuse.config import Options, parse_options
from affuse.errors import InputError, unknown_name
from affuse.plugins import load_plugins, registered_in, require_same
from affuse.samples import Corpus, Sample, Split

Reader = Callable[[Any, Any], Corpus]
"""`(path, options) -> Corpus`; the path is None where a corpus needs no data."""
Recogniser = Callable[[Path], bool]
Chooser = Callable[[Path], str]
FALLBACK = "mult"
"""The reader of files that none recognises; its errors say what is wrong with them."""


@dataclass(frozen=True)
class CorpusEntry:
    """A registered reader."""

    name: str  # what the command line calls it
    options: type[Options]
    read: Reader
    needs_data: bool  # whether it must be given a path
    summary: str  # one line for listings
    # Whether a path that the user gave holds this format; told by its content.
    recognises: Recogniser
    preset: Chooser  # which settings to train with on what a path holds
    broad: bool = False  # whether what it recognises may be of another format


_ENTRIES: dict[str, CorpusEntry] = {}


def register_corpus(
    name: str,
    options: type[Options],
    *,
    needs_data: bool = True,
    recognises: Recogniser = lambda _: False,
    preset: Chooser | None = None,
    broad: bool = False,
) -> Callable[[Reader], Reader]:
    """Register `read(path, options) -> Corpus`; its docstring's first line is the summary.

    Args:
        recognises: whether a path holds this format, so that the path alone stands for the
            corpus. It may be asked of any file or folder, and often; it raises nothing.
        preset: the name of the settings for what a path holds, where those named after the reader
            do not suit all its corpora; it raises nothing, and what it reads gets the same name.
        broad: whether what it recognises may be of another format, as any folder of media may.

    Raises:
        InputError: another function has that name.
    """
    choose = preset or (lambda _: name)

    def decorate(read: Reader) -> Reader:
        if name in _ENTRIES:
            require_same("corpus", name, _ENTRIES[name].read, read)
        registered_in.add(read.__module__)
        summary = (read.__doc__ or "").strip().splitlines()[0]
        known = (options, read, needs_data, summary, recognises, choose, broad)
        _ENTRIES[name] = CorpusEntry(name, *known)
        return read

    return decorate


def corpora() -> dict[str, CorpusEntry]:
    """All registered corpora by name, those of other packages too (`affuse.plugins`)."""
    load_plugins("affuse.corpora")
    return dict(_ENTRIES)


def resolve(corpus: str, data: Path | None = None) -> tuple[CorpusEntry, Path | None]:
    """A name, or a path whose content tells its reader, to the entry and that path.

    Args:
        data: where the corpus lies, for a name.

    Raises:
        InputError: neither a registered name nor an existing file.
    """
    entries, path = corpora(), Path(corpus)
    if corpus in entries:
        # A folder that is called as its format is needs no slash to be meant.
        there = data is None and path.exists() and entries[corpus].recognises(path)
        return entries[corpus], path if there else None
    if path.exists() or path.suffix or "/" in corpus:
        known = (entry for entry in entries.values() if entry.recognises(path))
        return next(known, entries[FALLBACK]), path
    raise unknown_name("corpus", corpus, entries)


def load_corpus(
    corpus: str, data: Path | None = None, options: Mapping[str, Any] | None = None
) -> Corpus:
    """Read a corpus by its registered name, or by the path of its file or folder.

    Args:
        data: where its data is, for a name that needs it.
        options: of the reader; an unknown key is an error that proposes the nearest one.
    """
    entry, path = resolve(corpus, data)
    where = path or data
    if entry.needs_data and where is None:
        remedy = "give its path with --data"
        raise InputError(f"corpus '{entry.name}' needs its data", remedy=remedy)
    if where is not None and not where.exists():
        raise InputError("no such file or folder", remedy="check the path", source=where)
    known = parse_options(entry.options, options or {})
    try:
        return without_untaught(entry.read(where, known))
    except InputError as error:
        other = None if path or where is None else _recognised(where, entry)
        if other is None:
            raise
        remedy = f"it is of the format {other.name}: give its path in place of '{corpus}'"
        raise InputError(error.problem, remedy=remedy, source=error.source) from None


def _recognised(path: Path, but: CorpusEntry) -> CorpusEntry | None:
    """The reader, another than this one, that knows what lies at a path."""
    others = (entry for entry in corpora().values() if entry is not but and not entry.broad)
    return next((entry for entry in others if entry.recognises(path)), None)


def without_untaught(corpus: Corpus) -> Corpus:
    """The corpus without modalities of which some fold's training part has nothing, and told so.

    What is never seen in training cannot be answered by; to let it be read and refused only when
    something trains would be two answers for one file.

    Raises:
        InputError: nothing is left.
    """
    taught = [{m for s in fold.train for m in s.sequences} for fold in corpus.folds]
    kept = {m: width for m, width in corpus.widths.items() if all(m in some for some in taught)}
    absent = [modality for modality in corpus.widths if modality not in kept]
    if not absent:
        return corpus
    if not kept:
        problem = f"no sample of the training part has {' or '.join(absent)}"
        raise InputError(problem, remedy="check its features", source=corpus.name)
    # A sample may be in several folds, where it stays one.
    made: dict[int, Sample] = {}

    def without(samples: Sequence[Sample]) -> list[Sample]:
        return [made.setdefault(id(s), s.keep(kept)) for s in samples]

    folds = (Split(*map(without, fold.parts().values())) for fold in corpus.folds)
    features = {m: name for m, name in corpus.features.items() if m in kept}
    told = f"{' and '.join(absent)} left out: no sample of the training part has it"
    notices = (*corpus.notices, told)
    return replace(corpus, widths=kept, folds=tuple(folds), features=features, notices=notices)


def corpus_name(name: str, options: Options, always: Sequence[str] = ()) -> str:
    """`name` with the options in `always`, then all others that differ from their default.

    For example `mosi[split=bc,layers=0+3+6]`.
    """
    values, fields = dict(options), type(options).model_fields
    changed = [key for key in values if values[key] != fields[key].default]
    shown = dict.fromkeys([*always, *changed])
    chosen = [f"{key}={_shown(values[key])}" for key in shown]
    return f"{name}[{','.join(chosen)}]" if chosen else name


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value).lower()
