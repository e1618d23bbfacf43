"""Clips composed of a text, a voice and a face that say the same, for want of a raw corpus of all.

Texts are CMU-MOSI's and texts that people rated (sentiment) or MELD's and IEMOCAP's (emotion),
voices those of RAVDESS, nEMO and SAVEE, faces those of FER+. Each part of the composed corpus draws
from the same part of each source: no speaker, actor or face of the test part is in another. A voice
and a face were not made for the text that they come with, so what hangs together beyond the label
is not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from affuse.config import parted
from affuse.extract.features import ClipFeatures, ClipSettings
from affuse.extract.text import Layer, TextKind, TextOptions, encode_corpus
from affuse.extract.text.minilm import PACKED_LAYERS
from affuse.readers import composed_sources as sources
from affuse.readers.composed_sources import EMOTIONS, Piece, Text
from affuse.readers.composed_voices import acted_voices
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import MADE_OF, PARTS, Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import Classification, Regression, Task

_SEED = 0


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
    task: Literal["sentiment", "emotion"] = "emotion"
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
    """Text, voice and face of different sources, composed by what they say: sentiment or emotion.

    Text is one step a token, audio and vision one step each: statistics of the voice, and the
    measures and expression of a face. Every voice comes as it is, and taken to its speaker. Where
    a clip has a conflict, the label is that of the two that agree. Where a modality is reserved, it
    is neutral, as most of what people say is, and the label is what the two others show.

    The path is a folder with mosi, text/meld.csv, iemocap, ravdess, voices and
    faces/ferplus_48x48.npz.
    """
    polar = options.task == "sentiment"
    made_of = [*options.voices, "mosi", "rated"] if polar else [*options.voices, "meld", "iemocap"]
    if polar:
        texts = sources.mosi_texts(path / "mosi")
        texts += sources.rated_texts(Path(options.rated)) if options.rated else []
    else:
        texts = sources.meld_texts(path / "text" / "meld.csv")
        texts += sources.iemocap_texts(path / "iemocap")
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
            [(t, x) for t, x in zip(texts, encoded, strict=True) if t.part == part],
            {m: [piece for piece in found if piece.part == part] for m, found in pieces.items()},
            np.random.default_rng([_SEED, number]),
            conflicts=options.conflicts,
            reserved=options.reserved,
            singles=options.singles and part == "train",
        )
        for number, part in enumerate(PARTS)
    }
    split = Split(**parts)
    # Where the texts lie is nobody's business.
    named = options.model_copy(update={"rated": "yes" if options.rated else ""})
    task: Task = Regression(-3.0, 3.0) if polar else Classification(EMOTIONS)
    return Corpus(
        name=corpus_name("composed", named, always=("task", "text")),
        task=task,
        widths=widths_of(split.samples()),
        folds=(split,),
        options=options.model_dump()
        | {"clip": clip.model_dump(), "usual": {"audio": usual.to_dict()}, MADE_OF: made_of},
        # As clips are read: what learns from this corpus answers for them.
        features=reader.versions,
    )


def compose(
    texts: Sequence[tuple[Text, FloatArray]],
    pieces: dict[str, list[Piece]],
    rng: np.random.Generator,
    *,
    conflicts: float,
    reserved: float,
    singles: bool = False,
) -> list[Sample]:
    """A sample a text (with its features `(T, D)`), and a voice and a face drawn by its label.

    Args:
        conflicts: share of samples in which one modality has another label.
        reserved: share of the others in which one is neutral though the label is not.
        singles: whether a sample of each voice and each face alone follows: those whose label is
            rare among texts are seldom drawn.
    """
    labels = sorted({text.label for text, _ in texts})
    neutral = labels.index("neutral") if "neutral" in labels else -1
    said = np.array([labels.index(text.label) for text, _ in texts])
    values = np.array([text.value for text, _ in texts], dtype=np.float32)
    # What a label is worth.
    usual = np.array([np.median(values[said == label]) for label in range(len(labels))])
    usual = usual.astype(np.float32)
    modalities = ("text", *pieces)
    (apart,) = rng.spawn(1)
    odd = rng.integers(len(modalities), size=len(texts))
    conflict = rng.random(len(texts)) < conflicts
    other = (said + rng.integers(1, len(labels), size=len(texts))) % len(labels)
    reserve = ~conflict & (apart.random(len(texts)) < reserved) & (neutral >= 0)
    felt = (neutral + apart.integers(1, len(labels), size=len(texts))) % len(labels)
    silent = apart.integers(1, len(modalities), size=len(texts))
    # A text that is contradicted, or neutral where the rest is not, has the label of the rest.
    meant = np.where(reserve & (said == neutral), felt, said)
    meant = np.where(conflict & (odd == 0), other, meant)
    chosen, of_each = {}, {"text": values}
    for column, m in enumerate(pieces, start=1):
        shown = np.where(conflict & (odd == column), other, meant)
        shown = np.where(reserve & (said != neutral) & (silent == column), neutral, shown)
        stocks = [[piece for piece in pieces[m] if piece.label == label] for label in labels]
        draws = zip(shown, rng.random(len(shown)), strict=True)
        chosen[m] = [stocks[label][int(u * len(stocks[label]))] for label, u in draws]
        of_each[m] = usual[shown]
    targets = np.where(meant == said, values, usual[meant]).astype(np.float32)
    composed = [
        Sample(
            id=text.id,
            sequences={"text": features} | {m: chosen[m][row].features for m in pieces},
            target=targets[row : row + 1],
            group=text.group,
            text=text.text,
            truth={
                "conflict": bool(conflict[row]),
                "conflicting": modalities[odd[row]] if conflict[row] else None,
            },
            unimodal={m: says[row : row + 1] for m, says in of_each.items()},
        )
        for row, (text, features) in enumerate(texts)
    ]
    return composed + (_alone(pieces, labels, usual) if singles else [])


def _alone(
    pieces: dict[str, list[Piece]], labels: Sequence[str], usual: FloatArray
) -> list[Sample]:
    """A sample of each voice and of each face, at what its label is worth."""
    return [
        Sample(
            id=f"{m} {number} {piece.id}",
            sequences={m: piece.features},
            target=usual[[labels.index(piece.label)]],
            group=piece.group or piece.id,
            truth={"conflict": False, "conflicting": None},
        )
        for m, found in pieces.items()
        for number, piece in enumerate(found)
    ]
