"""Valence and arousal for composed clips: texts that people rated, and norms of emotions.

Russell (1980), "A circumplex model of affect", Journal of Personality and Social Psychology 39.
Texts are EmoBank's (Buechel and Hahn 2017), IEMOCAP's (Busso et al. 2008) and MUStARD++'s (Ray et
al. 2022), each on a scale of its own. Voices and faces come with a class, not with ratings: they
get what people say of being in that state.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from affuse.errors import InputError
from affuse.readers.composed_sources import IEMOCAP_PARTS, Text
from affuse.readers.iemocap import utterances

NAMES = ("valence", "arousal")

NORMS: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.81, 0.51),
    "sad": (-0.63, -0.27),
    "angry": (-0.51, 0.59),
    "fear": (-0.64, 0.60),
    "disgust": (-0.60, 0.35),
    "surprise": (0.40, 0.67),
}
"""Valence and arousal of emotions: means of people who rated being happy, sad, angry, fearful,
disgusted and surprised (Russell and Mehrabian 1977, "Evidence for a three-factor theory of
emotions", Journal of Research in Personality 11). Neutral is the middle of their scale."""

# Shows, so that no speaker of the test part is in another.
_SHOWS = {"BBT": "train", "SV": "valid", "GOLDENGIRLS": "valid", "SARCASMOHOLICS": "valid"}
_TESTED_SHOW = "FRIENDS"

SPREAD = 0.4
"""The standard deviation of values of each corpus of texts, about a middle of 0.

As people rated them, those of EmoBank spread by 0.17 in valence and those of IEMOCAP by 0.44: what
one corpus calls strong would be weak in the other. A ridge regression on the words of all told
EmoBank's valence by r = 0.53 as rated and 0.61 so scaled, IEMOCAP's by 0.53 and 0.51 (validation).
"""

# How far, on the circumplex, a clip's voice and face may be from what its words say.
_APART = 0.35


def rated_texts(path: Path, rng: np.random.Generator) -> list[Text]:
    """All texts below the folder of the data, evenly spread, with a class for voice and face."""
    corpora = (
        emobank_texts(path / "text" / "emobank.csv"),
        iemocap_rated(path / "iemocap"),
        mustard_texts(path / "text" / "mustard_plus_plus.csv"),
    )
    return with_classes([text for one in corpora for text in evenly_spread(one)], _APART, rng)


def evenly_spread(texts: Sequence[Text]) -> list[Text]:
    """Texts of one corpus, their values about those of its training part and in [-1, 1]."""
    values = np.array([text.value for text in texts])
    learnt = values[[text.part == "train" for text in texts]]
    scaled = (values - learnt.mean(axis=0)) / learnt.std(axis=0) * SPREAD
    pairs = np.clip(scaled, -1.0, 1.0).tolist()
    return [replace(t, value=(v, a)) for t, (v, a) in zip(texts, pairs, strict=True)]


def emobank_texts(file: Path) -> list[Text]:
    """Sentences of EmoBank in their own split: letters, blogs, news, essays and fiction."""
    parts = {"train": "train", "dev": "valid", "test": "test"}
    return [
        Text(
            f"emobank {row['id']}",
            parts[row["split"]],
            "",
            row["text"].strip(),
            _rated(row, ("V", "A"), 5, file),
            row["id"],
        )
        for row in _rows(file, ("id", "split", "V", "A", "text"))
        if row["text"].strip() and row["split"] in parts
    ]


def iemocap_rated(place: Path) -> list[Text]:
    """Utterances of IEMOCAP of any emotion, divided as `iemocap_texts` divides them."""
    return [
        Text(
            f"iemocap {u.id}",
            IEMOCAP_PARTS[u.session],
            "",
            u.text,
            (_scaled(u.rated[0], 5), _scaled(u.rated[1], 5)),
            u.dialogue,
        )
        for u in utterances(place, every=True)
        if IEMOCAP_PARTS[u.session] == "train" or not u.scripted
    ]


def mustard_texts(file: Path) -> list[Text]:
    """Rated utterances of MUStARD++, half of them sarcastic, divided by show."""
    return [
        Text(
            f"mustard {row['KEY']}",
            _SHOWS.get(row["SHOW"], "test" if row["SHOW"] == _TESTED_SHOW else "train"),
            "",
            " ".join(row["SENTENCE"].split()),
            _rated(row, ("Valence", "Arousal"), 9, file),
            row["SCENE"],
        )
        for row in _rows(file, ("KEY", "SCENE", "SHOW", "SENTENCE", "Valence", "Arousal"))
        # The others are what was said before.
        if row["KEY"].endswith("_u")
    ]


def _rows(file: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a table; `InputError` where it is none, or lacks a column."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as table:
            rows = list(csv.DictReader(table))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problem = f"cannot be read as a table of rated texts ({error})"
        raise InputError(problem, remedy="copy it anew", source=file) from None
    missing = [name for name in needed if not rows or rows[0].get(name) is None]
    if missing:
        remedy = f"give the table with the columns {', '.join(needed)}"
        raise InputError(f"has no column '{missing[0]}'", remedy=remedy, source=file)
    return rows


def _rated(
    row: dict[str, str], columns: tuple[str, str], highest: int, file: Path
) -> tuple[float, float]:
    """Two ratings from 1 to `highest` as values from -1 to 1."""
    try:
        valence, arousal = (_scaled(float(row[column]), highest) for column in columns)
    except ValueError:
        problem = f"a row has no number in '{columns[0]}' or '{columns[1]}'"
        raise InputError(problem, remedy="copy it anew", source=file) from None
    return valence, arousal


def _scaled(rating: float, highest: int) -> float:
    """A rating from 1 to `highest` from -1 to 1."""
    return float(np.clip(2 * (rating - 1) / (highest - 1) - 1, -1.0, 1.0))


def with_classes(texts: Sequence[Text], apart: float, rng: np.random.Generator) -> list[Text]:
    """Each text with a class by whose norm a voice and a face are drawn for it.

    The nearer a norm is to the text's values, the likelier it is drawn: by a normal density about
    them.

    Args:
        apart: its standard deviation.
    """
    classes, norms = list(NORMS), np.array(list(NORMS.values()))
    values = np.array([text.value for text in texts])
    square = ((values[:, None] - norms) ** 2).sum(axis=2)
    shares = np.exp(-0.5 * (square - square.min(axis=1, keepdims=True)) / apart**2)
    edges = shares.cumsum(axis=1) / shares.sum(axis=1, keepdims=True)
    chosen = (rng.random(len(texts))[:, None] > edges).sum(axis=1)
    return [replace(t, label=classes[c]) for t, c in zip(texts, chosen, strict=True)]
