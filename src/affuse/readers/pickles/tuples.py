"""Pickles of examples, a tuple each: CMU-MOSI and CMU-MOSEI as MAG-BERT, MISA and MMIM share them.

`{train, dev, test} -> [((words, visual, acoustic[, text]), label, segment), ...]`, in one file or
in a folder with a file for each split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from affuse.errors import InputError
from affuse.extract.text import TextOptions, encode_corpus
from affuse.extract.text.glove import Glove
from affuse.readers.label_kinds import LabelOptions, read_labels
from affuse.readers.pickles import padded, parts
from affuse.readers.pickles.examples import SPOKEN, WORDS
from affuse.readers.pickles.parts import Identity, Part, pickle_format, plain_text
from affuse.readers.pickles.word_tables import WordTable, find_words
from affuse.readers.registry import register_corpus
from affuse.readers.word_vectors import word_vectors
from affuse.samples import Corpus, FloatArray

LAYOUT = "give train, dev and test, each a list of ((words, visual, acoustic), label, segment)"


class TuplesOptions(LabelOptions):
    """Options of the reader `tuples`."""

    text: Literal["glove", "minilm", "vectors", "none"] = Field(
        default="glove",
        description="what is made of the words: a vector each by affuse's table, MiniLM's word "
        "pieces, the rows of the file's own table of vectors, or nothing",
    )


def _recognises(path: Path) -> bool:
    found = pickle_format(path)
    return found is not None and WORDS in found.keys


def _preset(path: Path) -> str:
    """That of MulT's files of the same features."""
    found = pickle_format(path)
    return _preset_of({} if found is None else found.widths)


def _preset_of(widths: Mapping[str, int]) -> str:
    name = parts.preset_name("mult", widths)
    return "tuples" if name == "mult" else name


@register_corpus("tuples", TuplesOptions, recognises=_recognises, preset=_preset)
def read_tuples(path: Path, options: TuplesOptions) -> Corpus:
    """Pickles of tuples (MAG-BERT, MISA, MMIM): a list of examples for each split, one step a word.

    Words become features by affuse's own table, a vector a word and zeros for unknown ones, so that
    text stays aligned with voice and face. Where words are numbers, the words themselves are taken
    from the fourth entry of each example, or from a table beside the file (`word2id.pkl`,
    `vocab.json`, `embeddings.npy`; `affuse.readers.pickles.word_tables`).

    Samples are named by their segment and grouped by video, what stands before `[`. Of what labels
    are see `affuse.readers.label_kinds`. Steps that are zero in all modalities at either end are
    cut, and what is not finite becomes 0.
    """
    kept: dict[str, Mapping[str, Any]] = {}

    def part(values: dict[Any, Any], name: str, source: str) -> Part:
        kept[name] = {key: values.get(key) for key in (WORDS, SPOKEN)}
        return _part(values, name, source)

    found = parts.read_parts(path, part, LAYOUT)
    told, extracted = list(found.notices), {}
    splits: Mapping[str, Part] = found
    if options.text != "none":
        splits, extracted["text"] = _with_text(found, kept, options, path)
    labels = {name: one.labels for name, one in splits.items()}
    read = read_labels(labels, options, path)
    widths = {m: w for one in splits.values() for m, w in one.widths.items() if m != "text"}
    return parts.build_corpus(
        *("tuples", path, options, read.task, splits, read.targets),
        extracted=extracted,
        preset=_preset_of(widths),
        notices=(*told, *read.notices),
    )


def _part(values: dict[Any, Any], name: str, source: str) -> Part:
    """A split without its words."""
    padded.require_keys(values, (WORDS, "labels"), LAYOUT, source)
    there = [m for m in ("audio", "vision") if m in values]
    arrays = {m: padded.require_features(values[m], m, source) for m in there}
    labels = padded.require_numbers(values["labels"], "labels", source)
    read = parts.read_identities(values.get("id"), len(labels), name, source)
    sequences = [
        {m: _unpadded(array[row], len(words)) for m, array in arrays.items() if array[row].any()}
        for row, words in enumerate(values[WORDS])
    ]
    widths = {m: array.shape[2] for m, array in arrays.items()}
    spoken = values.get(SPOKEN)
    texts = None if spoken is None else [plain_text(text) for text in spoken]
    return Part(sequences, labels, [_identity(one) for one in read], widths, texts)


def _unpadded(rows: Any, count: int) -> FloatArray:
    """The steps of a sequence: as many as it has words, or more where more are not zero."""
    clean = padded.finite_or_zero(rows)
    last = np.flatnonzero(clean.any(axis=1))
    steps = max(count, int(last[-1]) + 1 if last.size else 0, 1)
    return clean[:steps]


def _identity(identity: Identity) -> Identity:
    """`video[3]` is of its video, however its name came."""
    video, mark, _ = identity.name.partition("[")
    return Identity(identity.name, video if mark and video else identity.video)


def _with_text(
    splits: Mapping[str, Part],
    kept: Mapping[str, Mapping[str, Any]],
    options: TuplesOptions,
    path: Path,
) -> tuple[dict[str, Part], str]:
    """Splits with text features made of their words, and what made them."""
    numbered = any(isinstance(w, int) for one in kept.values() for ws in one[WORDS] for w in ws)
    table = WordTable(None, None)
    if numbered:
        table = find_words(path if path.is_dir() else path.parent)
    if options.text == "vectors" or (numbered and not _spoken(kept) and not table.words):
        return _by_table(splits, kept, table, path)
    flat = [
        _as_words(row, spoken, table)
        for one in kept.values()
        for row, spoken in zip(one[WORDS], one[SPOKEN] or [None] * len(one[WORDS]), strict=True)
    ]
    if options.text == "glove":
        made, name = [word_vectors(row) for row in flat], Glove().name
    else:
        extractor = TextOptions.model_validate({"text": options.text}).extractor()
        made, name = encode_corpus([" ".join(row) for row in flat], extractor), extractor.name
    return _joined(splits, made, [" ".join(row) for row in flat]), name


def _spoken(kept: Mapping[str, Mapping[str, Any]]) -> bool:
    return all(one[SPOKEN] for one in kept.values())


def _as_words(row: Sequence[Any], spoken: str | None, table: WordTable) -> list[str]:
    """The words of a sample, one a step."""
    if not any(isinstance(word, int) for word in row):
        return [w.decode("utf-8", "replace") if isinstance(w, bytes) else str(w) for w in row]
    if spoken is not None:
        return spoken.split()
    known = table.words or {}
    return [known.get(int(word), "") for word in row]


def _by_table(
    splits: Mapping[str, Part], kept: Mapping[str, Mapping[str, Any]], table: WordTable, path: Path
) -> tuple[dict[str, Part], str]:
    """Text features that are rows of a table of vectors beside the file."""
    rows = [row for one in kept.values() for row in one[WORDS]]
    numbers = [word for row in rows for word in row]
    if table.vectors is None or not all(isinstance(word, int) for word in numbers):
        problem = "its words are numbers, and no table of words or vectors lies beside it"
        if not all(isinstance(word, int) for word in numbers):
            problem = "its words are words, not rows of a table of vectors"
        remedy = "put word2id.pkl or embeddings.npy there, or leave text out with --set text=none"
        raise InputError(problem, remedy=remedy, source=path)
    most = max(numbers, default=0)
    if most >= len(table.vectors):
        problem = f"word {most} is beyond the {len(table.vectors)} rows of the table beside it"
        raise InputError(problem, remedy="use the table of this corpus", source=path)
    vectors = padded.finite_or_zero(table.vectors)
    return _joined(splits, [vectors[row] for row in rows], None), "vectors of its own table"


def _joined(
    splits: Mapping[str, Part], made: Sequence[FloatArray], texts: Sequence[str] | None
) -> dict[str, Part]:
    """Splits with a sequence of text more for each sample, in their order."""
    joined, begin = {}, 0
    width = next((x.shape[1] for x in made if x.ndim == 2), 1)
    for name, one in splits.items():
        end = begin + len(one.sequences)
        pairs = zip(made[begin:end], one.sequences, strict=True)
        sequences = [{**({"text": x} if x.any() else {}), **found} for x, found in pairs]
        widths = {"text": width, **one.widths}
        own = one.texts or (None if texts is None else texts[begin:end])
        joined[name] = replace(one, sequences=sequences, widths=widths, texts=own)
        begin = end
    return joined
