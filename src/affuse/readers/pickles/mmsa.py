"""The pickles of MMSA: CMU-MOSI, CMU-MOSEI and CH-SIMS with BERT features and transcripts.

Mao et al. (2022), "M-SENA: An Integrated Platform for Multimodal Sentiment Analysis"; Yu et al.
(2020), "CH-SIMS: A Chinese Multimodal Sentiment Analysis Dataset with Fine-grained Annotation of
Modality". The files hold `{train, valid, test} -> {text, text_bert, audio, vision, raw_text, id,
regression_labels, classification_labels, ...}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from affuse.config import Options
from affuse.errors import InputError
from affuse.extract.text import TextOptions, encode_corpus
from affuse.readers.label_kinds import bound_values
from affuse.readers.pickles import padded, parts
from affuse.readers.pickles.padded import Steps, kind_of
from affuse.readers.pickles.parts import Identity, Part, pickle_format, plain_text
from affuse.readers.registry import register_corpus
from affuse.samples import PARTS, Corpus, FloatArray
from affuse.tasks import Classification, Regression, Task

SENTIMENTS = ("negative", "neutral", "positive")
LAYOUT = (
    f"an MMSA file has {{{', '.join(PARTS)}}}, each with text, audio, vision and regression_labels"
)
EXTRACTED = ("minilm", "glove", "e5")
_IDS = "text_bert"
_LABELS = {
    "regression": "regression_labels",
    "classification": "classification_labels",
    "text": "regression_labels_T",
    "audio": "regression_labels_A",
    "vision": "regression_labels_V",
}


class MmsaOptions(Options):
    """Options of the reader `mmsa`."""

    text: str = Field(
        default="text",
        description="the key of the text features; minilm, glove or e5 extracts them from "
        "raw_text, none leaves text out",
    )
    label: Literal["regression", "classification", "text", "audio", "vision"] = Field(
        default="regression",
        description="which labels: of the whole, in three classes, or CH-SIMS' for one modality",
    )
    bound: float | None = Field(
        default=None,
        gt=0,
        description="labels lie in [-bound, bound]; by default 1 if all do, else 3",
    )
    unimodal: bool = Field(
        default=False,
        description="whether each modality's own answer learns CH-SIMS' labels for it alone",
    )
    clip: bool = Field(
        default=False, description="whether labels beyond that are clipped, not refused"
    )


def _recognises(path: Path) -> bool:
    found = pickle_format(path)
    return found is not None and bool(found.keys & set(_LABELS.values()))


def _preset(path: Path) -> str:
    found = pickle_format(path)
    return "mmsa" if found is None else parts.preset_name("mmsa", found.widths)


@register_corpus("mmsa", MmsaOptions, recognises=_recognises, preset=_preset)
def read_mmsa(path: Path, options: MmsaOptions) -> Corpus:
    """MMSA pickles of CMU-MOSI, CMU-MOSEI and CH-SIMS: sentiment, with transcripts.

    `text` holds features. `text_bert` holds BERT's token ids, mask and segments, which are no
    features; its mask tells which steps of text are real. Where the file has `audio_lengths` and
    `vision_lengths`, so many of the first steps are real, and what comes after them up to the
    last step that is not zero: MMSA counted those lengths up to the first zero step. Else padding
    is zero steps at either end. Aligned modalities are cut together. Infinite values and those
    that are not a number become 0, and a modality of zeros only is absent.

    Samples are named by `id`, `video$_$clip`, and grouped by video.
    """
    found, extracted = parts.read_parts(path, partial(_part, options), LAYOUT), {}
    splits: Mapping[str, Part] = found
    if options.text in EXTRACTED:
        splits, extracted["text"] = _with_text(splits, options.text)
    labels = {name: part.labels for name, part in splits.items()}
    task, targets, told = _targets(labels, options, path)
    alone, more = _targets_alone(splits, options, task, path)
    return parts.build_corpus(
        *("mmsa", path, options, task, splits, targets),
        unimodal=alone,
        extracted=extracted,
        notices=(*found.notices, *told, *more),
    )


def _part(options: MmsaOptions, values: dict[str, Any], name: str, source: str) -> Part:
    arrays = {}
    wanted = options.text not in (*EXTRACTED, "none")
    if wanted and (options.text != "text" or values.keys() & {"text", _IDS} or not _heard(values)):
        arrays["text"] = _text(values, options.text, source)
    for modality in ("audio", "vision"):
        if modality in values:
            arrays[modality] = padded.require_features(values[modality], modality, source)
    if not arrays:
        raise InputError("has neither audio nor vision", remedy=LAYOUT, source=source)
    labels = _labels(values, options.label, source)
    padded.require_equal_counts({**arrays, "labels": labels}, source)
    count = len(labels)
    texts = _texts(values, count, source)
    if options.text in EXTRACTED and texts is None:
        remedy = "leave text out"
        raise InputError("has no 'raw_text' to extract features from", remedy=remedy, source=source)
    read = parts.read_identities(values.get("id"), count, name, source)
    identities = [_identity(identity) for identity in read]
    part = parts.build_part(arrays, _steps(values, arrays, source), labels, identities, texts)
    if not options.unimodal:
        return part
    alone = {modality: _labels(values, modality, source) for modality in arrays}
    padded.require_equal_counts({"labels": labels, **alone}, source)
    return replace(part, unimodal=alone)


def _heard(values: Mapping[str, Any]) -> bool:
    return bool(values.keys() & {"audio", "vision"})


def _text(values: Mapping[str, Any], key: str, source: str) -> NDArray[Any]:
    array = values.get(key)
    if key == _IDS or (array is None and _IDS in values) or _are_token_ids(array):
        named = "" if key == _IDS or array is not None else f" ('{_IDS}')"
        problem = f"has no features of text, only BERT's token ids{named}"
        remedy = "use a file with 'text' too, or read raw_text with text=minilm, e5 or glove"
        raise InputError(problem, remedy=remedy, source=f"{source}, '{key}'")
    padded.require_keys(dict(values), (key,), LAYOUT, source)
    return padded.require_features(array, key, source)


def _are_token_ids(array: object) -> bool:
    """Whether it is laid out as `text_bert`, `(N, 3, T)`: ids, mask, segments (of one sentence)."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim != 3:
        return False
    if array.shape[1] != 3 or not array.any():
        return False
    ids, mask, segments = array[:, 0], array[:, 1], array[:, 2]
    return not segments.any() and bool(np.isin(mask, (0, 1)).all() and (ids == ids.round()).all())


def _labels(values: Mapping[str, Any], label: str, source: str) -> NDArray[Any]:
    key = _LABELS[label]
    found = values.get(key)
    if found is None:
        there = [name for name, known in _LABELS.items() if known in values]
        remedy = f"choose label={' or label='.join(there)}" if there else LAYOUT
        raise InputError(f"has no '{key}'", remedy=remedy, source=source)
    return padded.require_one_label(_array(found), key, source)


def _array(values: object) -> object:
    """Lists of numbers, as which some files keep labels and lengths, as an array."""
    if isinstance(values, list) and all(isinstance(v, int | float | np.number) for v in values):
        return np.array(values, dtype=np.float64)
    return values


def _texts(values: Mapping[str, Any], count: int, source: str) -> list[str] | None:
    texts = values.get("raw_text")
    if texts is None:
        return None
    rows = texts.tolist() if isinstance(texts, np.ndarray) else texts
    if not isinstance(rows, list | tuple) or len(rows) != count:
        problem = f"'raw_text' is {kind_of(texts)}, not {count} texts"
        remedy = "give one transcript a sample, or leave 'raw_text' out"
        raise InputError(problem, remedy=remedy, source=source)
    known = (row.decode("utf-8", "replace") if isinstance(row, bytes) else row for row in rows)
    return [plain_text(str(text)) for text in known]


def _identity(identity: Identity) -> Identity:
    video, mark, _ = identity.name.partition("$_$")
    return Identity(identity.name, video if mark else identity.video)


def _steps(
    values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], source: str
) -> dict[str, Steps]:
    """The steps that count: real ones, and those that a mask or a length says are."""
    steps = {}
    for modality, array in arrays.items():
        real = padded.real_steps(array)
        known = _array(values.get(f"{modality}_lengths"))
        if modality == "text":
            mask = padded.attention_mask(values.get(_IDS), *real.shape)
            own = real if mask is None else np.where(mask.any(axis=1, keepdims=True), mask, real)
        elif known is None:
            own = real
        elif isinstance(known, np.ndarray) and known.shape == real.shape[:1]:
            own = real | (np.arange(real.shape[1]) < known[:, None])
        else:
            problem = f"'{modality}_lengths' is {kind_of(known)}"
            remedy = "give one length a sample, or leave it out"
            raise InputError(problem, remedy=remedy, source=source)
        steps[modality] = own & real.any(axis=1, keepdims=True)
    return steps


def _with_text(splits: Mapping[str, Part], name: str) -> tuple[dict[str, Part], str]:
    """Splits with text features extracted from their transcripts, and the extractor's name."""
    extractor = TextOptions.model_validate({"text": name}).extractor()
    texts = [text for part in splits.values() for text in part.texts or ()]
    encoded = iter(encode_corpus(texts, extractor))
    made = {}
    for key, part in splits.items():
        sequences = [{"text": next(encoded), **found} for found in part.sequences]
        widths = {"text": extractor.width, **part.widths}
        made[key] = replace(part, sequences=sequences, widths=widths)
    return made, extractor.name


def _targets_alone(
    splits: Mapping[str, Part], options: MmsaOptions, task: Task, path: Path
) -> tuple[dict[str, dict[str, FloatArray]], tuple[str, ...]]:
    """Part to the targets of each modality alone, and what is told of them."""
    if not options.unimodal:
        return {}, ()
    if options.label != "regression" or not isinstance(task, Regression):
        remedy = "leave label out, or unimodal"
        raise InputError("unimodal goes with the labels of the whole", remedy=remedy, source=path)
    found: dict[str, dict[str, FloatArray]] = {name: {} for name in splits}
    told: list[str] = []
    for modality in splits["train"].unimodal:
        values = {n: p.unimodal[modality].reshape(-1, 1) for n, p in splits.items()}
        exact = {n: x.astype(np.float32) for n, x in values.items()}
        bounded, clipped = bound_values(exact, task, path, clip=options.clip)
        told += [f"{modality}: {line}" for line in clipped]
        for name, targets in bounded.items():
            found[name][modality] = targets
    return found, tuple(told)


def _targets(
    labels: Mapping[str, NDArray[Any]], options: MmsaOptions, path: Path
) -> tuple[Task, dict[str, FloatArray], tuple[str, ...]]:
    """The task, targets by part, and what is told of them."""
    targets = {n: found.reshape(len(found), 1).astype(np.float32) for n, found in labels.items()}
    task: Task = Classification(SENTIMENTS)
    told: tuple[str, ...] = ()
    if options.label != "classification":
        largest = max(float(np.nanmax(np.abs(found))) for found in targets.values())
        bound = options.bound or (1.0 if largest <= 1 else 3.0)
        task = Regression(-bound, bound)
        targets, told = bound_values(targets, task, path, clip=options.clip)
    for name, found in targets.items():
        task.check(found, source=f"{path}: {name}")
    return task, targets, told
