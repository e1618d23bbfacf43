"""Clips composed of a text, a voice and a face that say the same, for want of a raw corpus of all.

Texts are CMU-MOSI's and texts that people rated (sentiment), MELD's and IEMOCAP's (emotion), or
EmoBank's, IEMOCAP's and MUStARD++'s (circumplex), voices those of RAVDESS, nEMO and SAVEE, faces
those of FER+. Each part of the composed corpus draws from the same part of each source: no speaker,
actor or face of the test part is in another. Few texts that validate come several times, each time
beside others: chance would have too much say in who meets whom. A voice and a face were not made
for the text that they come with, so what hangs together beyond the label is not in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BeforeValidator, Field

from affuse.config import parted
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.text import Layer, TextKind, TextOptions, encode_corpus
from affuse.extract.text.minilm import PACKED_LAYERS
from affuse.readers import circumplex
from affuse.readers import composed_sources as sources
from affuse.readers.composed_sources import EMOTIONS, Piece, Text
from affuse.readers.composed_voices import acted_voices
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import MADE_OF, PARTS, Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import Bools, Classification, Ints, Regression, Task, Values

_SEED = 0
# Of reserved clips with words that are not neutral, those in which voice and face both are: what
# people say mostly shows in words alone. Emotions need none of these, since logits add up.
_BOTH_RESERVED = 0.5
# Clips that validate, at least: what is fitted on them should not hang on who met whom.
_VALIDATING = 2000
_TEXTS = {
    "sentiment": ("mosi", "rated"),
    "emotion": ("meld", "iemocap"),
    "circumplex": ("emobank", "iemocap", "mustard_plus_plus"),
}
_TASKS: dict[str, Task] = {
    "sentiment": Regression(-3.0, 3.0),
    "emotion": Classification(EMOTIONS),
    "circumplex": Values(circumplex.NAMES, -1.0, 1.0),
}


class ComposedOptions(TextOptions):
    """Options of the reader `composed`."""

    text: TextKind = "minilm8"
    layers: tuple[Layer, ...] = Field(
        default=PACKED_LAYERS,
        min_length=1,
        description="hidden layers of minilm8, minilm or e5, concatenated",
    )
    voices: Annotated[tuple[Literal["ravdess", "nemo", "savee"], ...], BeforeValidator(parted)] = (
        Field(
            default=("ravdess", "nemo", "savee"),
            min_length=1,
            description="corpora of voices, with + between",
        )
    )
    task: Literal["sentiment", "emotion", "circumplex"] = "emotion"
    rated: str = Field(
        default="", description="folder of *_GroundTruth.txt: rated texts, to train sentiment on"
    )
    conflicts: float = Field(
        default=0.15,
        ge=0,
        le=0.5,
        description="share of clips in which one modality says something else",
    )
    reserved: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="share of the other clips in which one modality is neutral though two are not",
    )
    singles: bool = Field(
        default=True, description="whether every voice and every face also trains by itself"
    )
    cepstra: int = Field(default=20, ge=0, le=39, description="mel cepstra of the voice")


@register_corpus("composed", ComposedOptions)
def read_composed(path: Path, options: ComposedOptions) -> Corpus:
    """Text, voice and face of different sources: sentiment, emotion, or valence and arousal.

    Text is one step a token, audio and vision one step each: statistics of the voice, and the
    measures and expression of a face. Every voice comes as it is, and taken to its speaker. Where
    a clip has a conflict, the label is that of the two that agree. Where a modality is reserved, it
    is neutral, as most of what people say is, and the label is what the two others show.

    Of valence and arousal (circumplex), a voice and a face stand for the norms of their emotion
    (`affuse.readers.circumplex.NORMS`), near what people said of the text, and the label is the
    mean of what the parts show, but for what contradicts or is reserved. Voice and face may both
    be reserved there, beside words that show something.

    The path is a folder with mosi, text/meld.csv, iemocap, ravdess, voices and
    faces/ferplus_48x48.npz; for valence and arousal, text/emobank.csv and
    text/mustard_plus_plus.csv.
    """
    polar = options.task == "sentiment"
    texts = _texts(path, options)
    extractor = options.extractor()
    encoded = encode_corpus([text.text for text in texts], extractor)
    shared = options.model_dump(include={"text", "layers", "cepstra"})
    clip = ClipSettings.model_validate({**shared, "audio": "summary"})
    reader = ClipFeatures(clip)
    voices, usual = acted_voices(path, options.voices, reader, polar=polar)
    pieces = {
        "audio": voices,
        "vision": sources.fer_faces(path / "faces", reader, polar),
    }
    parts = {
        part: compose(
            _of_part(part, zip(texts, encoded, strict=True)),
            {m: [piece for piece in found if piece.part == part] for m, found in pieces.items()},
            np.random.default_rng([_SEED, number]),
            conflicts=options.conflicts,
            reserved=options.reserved,
            singles=options.singles and part == "train",
            norms=circumplex.NORMS if options.task == "circumplex" else None,
        )
        for number, part in enumerate(PARTS)
    }
    split = Split(**parts)
    # Where the texts lie is nobody's business.
    named = options.model_copy(update={"rated": "yes" if options.rated else ""})
    made_of = [*options.voices, *_TEXTS[options.task]]
    return Corpus(
        name=corpus_name("composed", named, always=("task", "text")),
        task=_TASKS[options.task],
        widths=widths_of(split.samples()),
        folds=(split,),
        options=options.model_dump()
        | {"clip": clip.model_dump(), "usual": {"audio": usual.to_dict()}, MADE_OF: made_of},
        # As clips are read: what learns from this corpus answers for them.
        features=reader.versions,
    )


def _texts(path: Path, options: ComposedOptions) -> list[Text]:
    if options.task == "sentiment":
        rated = sources.rated_texts(Path(options.rated)) if options.rated else []
        return sources.mosi_texts(path / "mosi") + rated
    if options.task == "emotion":
        said = sources.meld_texts(path / "text" / "meld.csv")
        return said + sources.iemocap_texts(path / "iemocap")
    return circumplex.rated_texts(path, np.random.default_rng(_SEED))


def _of_part(part: str, texts: Iterable[tuple[Text, FloatArray]]) -> list[tuple[Text, FloatArray]]:
    """Of texts and their features; few that validate come several times, to meet others."""
    found = [(text, features) for text, features in texts if text.part == part]
    times = -(-_VALIDATING // len(found)) if part == "valid" and found else 1
    again = [(replace(t, id=f"{t.id} {n}"), x) for n in range(2, times + 1) for t, x in found]
    return found + again


def compose(
    texts: Sequence[tuple[Text, FloatArray]],
    pieces: dict[str, list[Piece]],
    rng: np.random.Generator,
    *,
    conflicts: float,
    reserved: float,
    singles: bool = False,
    norms: Mapping[str, Sequence[float]] | None = None,
) -> list[Sample]:
    """A sample a text (with its features `(T, D)`), and a voice and a face drawn by its label.

    Args:
        conflicts: share of samples in which one modality has another label.
        reserved: share of the others in which one is neutral though the label is not.
        singles: whether a sample of each voice and each face alone follows: those whose label is
            rare among texts are seldom drawn.
        norms: what each label is worth: the target is then the mean of what is shown, without what
            contradicts or is reserved. By default what its texts usually are, and the target the
            text's own value where it agrees.
    """
    labels = sorted({text.label for text, _ in texts})
    said = np.array([labels.index(text.label) for text, _ in texts])
    values = np.array([np.atleast_1d(text.value) for text, _ in texts], dtype=np.float32)
    # What a label is worth.
    each = range(len(labels))
    usual = np.array([np.median(values[said == label], axis=0) for label in each])
    usual = (usual if norms is None else np.array([norms[x] for x in labels])).astype(np.float32)
    modalities = ("text", *pieces)
    silent = 0.0 if norms is None else _BOTH_RESERVED
    roles = _roles(labels, said, len(modalities), rng, conflicts, reserved, silent)
    chosen, of_each = {}, {"text": values}
    for column, m in enumerate(pieces, start=1):
        stocks = [[piece for piece in pieces[m] if piece.label == label] for label in labels]
        draws = zip(roles.shown[:, column], rng.random(len(said)), strict=True)
        chosen[m] = [stocks[label][int(u * len(stocks[label]))] for label, u in draws]
        of_each[m] = usual[roles.shown[:, column]]
    if norms is None:
        targets = np.where((roles.meant == said)[:, None], values, usual[roles.meant])
    else:
        counts = ~roles.left_out
        every = np.stack([of_each[m] for m in modalities], axis=1)
        targets = (every * counts[..., None]).sum(axis=1) / counts.sum(axis=1, keepdims=True)
    targets = targets.astype(np.float32)
    composed = [
        Sample(
            id=text.id,
            sequences={"text": features} | {m: chosen[m][row].features for m in pieces},
            target=targets[row],
            group=text.group,
            text=text.text,
            truth={
                "conflict": bool(roles.conflict[row]),
                "conflicting": modalities[roles.odd[row]] if roles.conflict[row] else None,
                # Its target is that of a real clip, which people saw and heard as a whole. What
                # voices and faces are worth is but a norm.
                "told_alone": ["text"],
            },
            unimodal={m: says[row] for m, says in of_each.items()},
        )
        for row, (text, features) in enumerate(texts)
    ]
    return composed + (_alone(pieces, labels, usual) if singles else [])


class _Roles(NamedTuple):
    """Who shows what in N clips of M modalities, the text first.

    Attributes:
        meant: the label of each clip, `(N,)`.
        shown: the label of what each modality is drawn from, `(N, M)`; of the text its own.
        conflict: whether one contradicts the others, bool `(N,)`, and which it would be, `odd`.
        left_out: which contradict or are reserved, bool `(N, M)`.
    """

    meant: Ints
    shown: Ints
    conflict: Bools
    odd: Ints
    left_out: Bools


def _roles(
    labels: Sequence[str],
    said: Ints,
    modalities: int,
    rng: np.random.Generator,
    conflicts: float,
    reserved: float,
    both: float,
) -> _Roles:
    """Drawn for texts with the labels `said` `(N,)`; see `compose`.

    Args:
        both: share of reserved clips, with words that are not neutral, in which all else is.
    """
    count, neutral = len(said), labels.index("neutral") if "neutral" in labels else -1
    (apart,) = rng.spawn(1)
    odd = rng.integers(modalities, size=count)
    conflict = rng.random(count) < conflicts
    other = (said + rng.integers(1, len(labels), size=count)) % len(labels)
    reserve = ~conflict & (apart.random(count) < reserved) & (neutral >= 0)
    felt = (neutral + apart.integers(1, len(labels), size=count)) % len(labels)
    silent = apart.integers(1, modalities, size=count)
    every = np.arange(modalities)
    left_out = every == np.where(conflict, odd, np.where(said == neutral, 0, silent))[:, None]
    left_out &= (conflict | reserve)[:, None]
    words_alone = reserve & (said != neutral) & (apart.random(count) < both)
    left_out |= words_alone[:, None] & (every > 0)
    # A text that is contradicted, or neutral where the rest is not, has the label of the rest.
    meant = np.where(reserve & (said == neutral), felt, said)
    meant = np.where(conflict & (odd == 0), other, meant)
    shown = np.repeat(meant[:, None], modalities, axis=1)
    shown[:, 0] = said
    for column in range(1, modalities):
        shown[:, column] = np.where(conflict & left_out[:, column], other, shown[:, column])
        shown[:, column] = np.where(reserve & left_out[:, column], neutral, shown[:, column])
    return _Roles(meant, shown, conflict, odd, left_out)


def _alone(
    pieces: dict[str, list[Piece]], labels: Sequence[str], usual: FloatArray
) -> list[Sample]:
    """A sample of each voice and of each face, at what its label is worth."""
    return [
        Sample(
            id=f"{m} {number} {piece.id}",
            sequences={m: piece.features},
            target=usual[labels.index(piece.label)],
            group=piece.group or piece.id,
            truth={"conflict": False, "conflicting": None},
        )
        for m, found in pieces.items()
        for number, piece in enumerate(found)
    ]
