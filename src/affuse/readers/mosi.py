"""CMU-MOSI from its transcripts and acoustic means.

Zadeh, Zellers, Pincus and Morency (2016), "MOSI: Multimodal Corpus of Sentiment Intensity and
Subjectivity Analysis in Online Opinion Videos".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.text import TextOptions, encode_corpus
from affuse.readers.npz import load_arrays
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import Regression

FILE = "utterances.npz"
AUDIO = "acoustic means"
_SPLITS = {"bc": "split_bc", "official": "split_official"}
# Arrays and the kinds of type that they may have.
_ARRAYS = {
    **dict.fromkeys(("ids", "video_id", "transcript", *_SPLITS.values()), "U"),
    **dict.fromkeys(("audio", "y_real"), "fiu"),
}
_VALIDATE_EVERY = 6


class MosiOptions(TextOptions):
    """Options of the reader `mosi`."""

    split: Literal["bc", "official"] = "bc"


def _recognises(path: Path) -> bool:
    return path.name == FILE or (path / FILE).is_file()


@register_corpus("mosi", MosiOptions, recognises=_recognises)
def read_mosi(path: Path, options: MosiOptions) -> Corpus:
    """CMU-MOSI: sentiment in [-3, 3] from transcripts and acoustic means of 2199 utterances.

    Text is one step a token, audio one step of 73 means; a group is a video. Split `official` is
    the one that comes with the corpus. Split `bc` has 62 videos for training and 31 for test, no
    speaker in both; every sixth of its sorted training videos validates.
    The path is the folder that holds utterances.npz, or that file.
    """
    file = path / FILE if path.is_dir() else path
    table = load_utterances(file)
    extractor = options.extractor()
    text = encode_corpus(table["transcript"].tolist(), extractor)
    samples = [_sample(table, row, features) for row, features in enumerate(text)]
    return Corpus(
        name=corpus_name("mosi", options, always=("split",)),
        task=Regression(-3.0, 3.0),
        widths=widths_of(samples),
        folds=(_split(samples, table[_SPLITS[options.split]], options.split, file),),
        options=options.model_dump(),
        features={"text": extractor.name, "audio": AUDIO},
    )


def load_utterances(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of `utterances.npz`, one row an utterance; `InputError` for other files."""
    if not file.is_file():
        remedy = f"give the folder of CMU-MOSI that holds {FILE}"
        raise InputError("no such file", remedy=remedy, source=file)
    table = load_arrays(file, _ARRAYS)
    shapes = {key: table[key].ndim for key in _ARRAYS}
    if shapes != dict.fromkeys(_ARRAYS, 1) | {"audio": 2}:
        remedy = "use the file as it came: all have one, but audio two"
        raise InputError(f"its arrays have {shapes} dimensions", remedy=remedy, source=file)
    return table


def _sample(table: dict[str, NDArray[Any]], row: int, text: FloatArray) -> Sample:
    sequences = {"text": text}
    audio = np.asarray(table["audio"][row], dtype=np.float32)
    # Means that could not be measured are no audio; zeros would pass for a measurement.
    if np.isfinite(audio).all():
        sequences["audio"] = audio[None]
    return Sample(
        id=str(table["ids"][row]),
        sequences=sequences,
        target=np.array([table["y_real"][row]], dtype=np.float32),
        group=str(table["video_id"][row]),
        text=str(table["transcript"][row]),
    )


def _split(samples: Sequence[Sample], parts: NDArray[Any], split: str, file: Path) -> Split:
    known = ("train", "test") if split == "bc" else ("train", "val", "test")
    odd = sorted(set(parts.tolist()) - set(known))
    if odd:
        problem = f"an utterance is in part '{odd[0]}' of split '{split}'"
        raise InputError(problem, remedy=f"use one of: {', '.join(known)}", source=file)
    placed = list(zip(samples, parts, strict=True))
    named = {name: [s for s, part in placed if part == name] for name in known}
    if split == "official":
        return Split(named["train"], named["val"], named["test"])
    # Every sixth of the sorted videos, the first included.
    held_out = sorted({sample.group or "" for sample in named["train"]})[::_VALIDATE_EVERY]
    return Split(
        [sample for sample in named["train"] if sample.group not in held_out],
        [sample for sample in named["train"] if sample.group in held_out],
        named["test"],
    )
