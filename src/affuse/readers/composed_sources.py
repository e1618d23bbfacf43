"""Texts, voices and faces with labels, each of a corpus of its own: what clips are composed of."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.cache import FeatureCache, cache_key
from affuse.extract.face import EXPRESSIONS, read_face
from affuse.extract.features import ClipFeatures
from affuse.progress import items_bar
from affuse.readers.iemocap import utterances
from affuse.readers.mosi import FILE, load_utterances
from affuse.readers.npz import load_arrays
from affuse.readers.rated import read_rated_texts
from affuse.samples import FloatArray

EMOTIONS = EXPRESSIONS
POLARITIES = ("negative", "neutral", "positive")

# What other corpora call the same. Calm is among RAVDESS' emotions alone.
_CALLED = {
    "joy": "happy", "sadness": "sad", "anger": "angry", "calm": "neutral",
    "fearful": "fear", "surprised": "surprise", "happiness": "happy",
}  # fmt: skip
# Surprise is as often pleasant as not.
_POLARITY = {"neutral": "neutral", "happy": "positive"} | dict.fromkeys(
    ("sad", "angry", "fear", "disgust"), "negative"
)
_FACES = "ferplus_48x48.npz"
# The order of its votes; those for the last three name no emotion of ours.
_VOTED = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")
_NO_FACE = 9
# Of ten people, so many see the same in a face that is taken.
_AGREED = 4
IEMOCAP_PARTS = {1: "train", 2: "train", 3: "train", 4: "valid", 5: "test"}
"""Its sessions, each of two actors of its own, to the parts of composed corpora."""

_USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
_EVERY = {"train": 7, "valid": 3, "test": 3}


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody said, in part `part`, with the label that composition goes by."""

    id: str
    part: str
    label: str
    text: str
    # The sentiment from -3 to 3, the index in `EMOTIONS` where emotions are the task, or valence
    # and arousal from -1 to 1.
    value: float | tuple[float, float]
    group: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Features `(T, D)` of a voice or a face, in part `part`."""

    id: str
    part: str
    label: str
    features: FloatArray
    group: str = ""  # who speaks


def polarity(value: float) -> str:
    """Sentiment from -3 to 3 as one of `POLARITIES`; half a point from the middle is neutral."""
    return POLARITIES[1 + int(np.sign(value)) * (abs(value) >= 0.5)]


def meld_texts(file: Path) -> list[Text]:
    """Utterances of MELD (Poria et al. 2019), columns id, split, label and text_en."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return [_meld_text(row) for row in csv.DictReader(lines) if row["text_en"].strip()]
    except (OSError, KeyError, ValueError, AttributeError) as error:
        problem = f"cannot be read as a table of utterances ({error})"
        remedy = "give id, split, label and text_en, as MELD has them"
        raise InputError(problem, remedy=remedy, source=file) from None


def _meld_text(row: dict[str, str]) -> Text:
    label = _CALLED.get(row["label"], row["label"])
    dialogue = row["id"].rpartition("_utt")[0]
    value = float(EMOTIONS.index(label))
    return Text(row["id"], row["split"], label, row["text_en"].strip(), value, dialogue)


def iemocap_texts(place: Path) -> list[Text]:
    """Utterances of IEMOCAP of four emotions; the last two sessions validate and test.

    Of those two, what was improvised: scripts repeat their lines in every session.
    """
    return [
        Text(
            f"iemocap {u.id}",
            IEMOCAP_PARTS[u.session],
            u.label,
            u.text,
            EMOTIONS.index(u.label),
            u.dialogue,
        )
        for u in utterances(place)
        if IEMOCAP_PARTS[u.session] == "train" or not u.scripted
    ]


def mosi_texts(file: Path) -> list[Text]:
    """Utterances of CMU-MOSI in its official split."""
    table = load_utterances(file / FILE if file.is_dir() else file)
    columns = (table[key] for key in ("ids", "split_official", "y_real", "transcript", "video_id"))
    return [
        Text(str(name), _part(str(part)), polarity(float(y)), str(text), float(y), str(video))
        for name, part, y, text, video in zip(*columns, strict=True)
    ]


def rated_texts(folder: Path) -> list[Text]:
    """Texts that people rated (`affuse.readers.rated`), all for training."""
    found = read_rated_texts(folder)
    return [Text(t.id, "train", polarity(t.value), t.text, t.value, t.id) for t in found]


def _part(name: str) -> str:
    return {"val": "valid", "validation": "valid"}.get(name, name)


def fer_faces(folder: Path, extractor: ClipFeatures, polar: bool) -> list[Piece]:
    """FER+'s faces as one step, where the mesh finds them and four of ten people see the same.

    Of the training part every seventh, which the expression network was not trained on; of the
    others every third.
    """
    arrays = load_arrays(folder / _FACES, {"x": "u", "votes": "iu", "usage": "U"})
    votes = arrays["votes"]
    parts = np.array([_USAGE.get(str(usage), "") for usage in arrays["usage"]])
    faces = votes.argmax(axis=1) != _NO_FACE
    chosen = [np.flatnonzero((parts == part) & faces)[::every] for part, every in _EVERY.items()]
    rows = np.concatenate(chosen)
    seen = votes[:, : len(_VOTED)]
    rows = rows[(seen.max(axis=1) >= _AGREED)[rows]]
    pixels, read = arrays["x"][rows], partial(_face_features, extractor)
    key = cache_key(extractor.versions["vision"], [pixels.tobytes()])
    made = partial(_by_all_cores, "faces", read, pixels)
    stored = FeatureCache().arrays(key, lambda: {"faces": np.stack(made())})
    found = [
        Piece(f"face{row}", str(parts[row]), _VOTED[int(seen[row].argmax())], x[None])
        for row, x in zip(rows, stored["faces"], strict=True)
        if np.isfinite(x).all()
    ]
    return labelled(found, polar)


def _by_all_cores(
    label: str, extract: Callable[[Any], FloatArray], items: Sequence[Any] | NDArray[np.uint8]
) -> list[FloatArray]:
    """What `extract` makes of each item, with a progress bar."""
    found = []
    with items_bar(label, "items", len(items)) as advance, ProcessPoolExecutor() as pool:
        for features in pool.map(extract, items, chunksize=8):
            found.append(features)
            advance(1)
    return found


def labelled(pieces: Sequence[Piece], polar: bool) -> list[Piece]:
    called = [(p, _CALLED.get(p.label, p.label)) for p in pieces]
    if polar:
        called = [(p, _POLARITY[label]) for p, label in called if label in _POLARITY]
    return [replace(piece, label=label) for piece, label in called]


def _face_features(extractor: ClipFeatures, grey: NDArray[np.uint8]) -> FloatArray:
    """`(D,)`, NaN where there is no face."""
    image = np.repeat(grey[..., None], 3, axis=2)
    face = read_face(image, cropped=True)
    if face is None:
        return np.full(extractor.widths["vision"], np.nan, dtype=np.float32)
    return extractor.vision_step(image, face)
