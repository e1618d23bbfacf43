"""IEMOCAP from its transcripts and eight numbers about each utterance's sound.

Busso et al. (2008), "IEMOCAP: interactive emotional dyadic motion capture database", Language
Resources and Evaluation 42. Ten actors in five sessions of two, who improvise or speak scripts.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from affuse.errors import InputError, file_error
from affuse.extract.text import TextOptions, encode_corpus
from affuse.readers.registry import corpus_name, register_corpus
from affuse.samples import PARTS, Corpus, FloatArray, Sample, Split, widths_of
from affuse.tasks import Classification, Regression, Task

FILE = "iemocap.csv"
_LONG_TAILED = (
    *("sig_mean", "sig_std", "rmse_mean", "rmse_std", "harmonic", "auto_corr_max"),
    "auto_corr_std",
)
ACOUSTIC = (*_LONG_TAILED, "silence")
AUDIO = "eight acoustic numbers, logarithms"
# Below this, relative to the sizes that occur, numbers are as good as zero.
_SMALLEST = 1e-3
_LABELS = {
    "four": ("merbench_4way", ("happy", "sad", "neutral", "angry")),
    "six": ("merbench_6way", ("happy", "sad", "neutral", "angry", "excited", "frustrated")),
}
_VALENCE, _AROUSAL, _LOWEST, _HIGHEST = "val", "act", 1.0, 5.0
_NEEDED = ("wav_file", "transcript", "session", "speaker", "dialogue", *ACOUSTIC)
# The annotators' marks of laughter, breath, noise and the like.
_MARK = re.compile(r"\[[A-Z _]+\]")
_VALIDATE_EVERY = 8


class IemocapOptions(TextOptions):
    """Options of the reader `iemocap`."""

    label: Literal["four", "six", "valence"] = Field(
        default="four",
        description="happy (with excited), sad, neutral, angry (four); with excited and frustrated "
        "apart (six); or the raters' mean valence, 1 to 5",
    )
    style: Literal["all", "improvised", "scripted"] = Field(
        default="all",
        description="dialogues; scripts repeat their lines in every session, those tested too",
    )
    marks: bool = Field(
        default=False, description="keep marks such as [LAUGHTER], which no one said, in the text"
    )
    session: int | None = Field(
        default=None, ge=1, le=5, description="test this session alone; by default each in turn"
    )


@register_corpus("iemocap", IemocapOptions)
def read_iemocap(path: Path, options: IemocapOptions) -> Corpus:
    """IEMOCAP: four or six emotions, or valence, of 10,039 utterances by text and eight numbers.

    Text is one step a token, absent where nothing is said; audio is one step of eight numbers about
    the sound, in logarithms, absent where they are not known. A group is a speaker. Each session is
    tested once by what was learnt from the four others, of whose dialogues every eighth validates.
    The path is the folder that holds iemocap.csv, or that file.
    """
    file = path / FILE if path.is_dir() else path
    rows = _chosen(_read(file, options), options, file)
    extractor = options.extractor()
    said = [" ".join(_spoken(row["transcript"], marks=options.marks).split()) for row in rows]
    encoded = iter(encode_corpus([text for text in said if text], extractor))
    samples = [
        _sample(row, text, next(encoded) if text else None, options)
        for row, text in zip(rows, said, strict=True)
    ]
    sessions = [row["session"] for row in rows]
    asked = sorted(set(sessions)) if options.session is None else [str(options.session)]
    dialogues = [row["dialogue"] for row in rows]
    return Corpus(
        name=corpus_name("iemocap", options, always=("label",)),
        task=_task(options),
        widths=widths_of(samples),
        folds=tuple(_split(samples, sessions, dialogues, session) for session in asked),
        options=options.model_dump(),
        features={"text": extractor.name, "audio": AUDIO},
        notices=tuple(_notices(rows, options)),
    )


def _notices(rows: Sequence[dict[str, str]], options: IemocapOptions) -> Iterator[str]:
    if options.label == "valence":
        beyond = sum(not _LOWEST <= float(row[_VALENCE]) <= _HIGHEST for row in rows)
        if beyond:
            yield f"{beyond} valences lie beyond the scale of 1 to 5 and are read as its end"


def _task(options: IemocapOptions) -> Task:
    if options.label == "valence":
        return Regression(_LOWEST, _HIGHEST)
    return Classification(_LABELS[options.label][1])


def _column(options: IemocapOptions) -> str:
    return _VALENCE if options.label == "valence" else _LABELS[options.label][0]


def _read(file: Path, options: IemocapOptions) -> list[dict[str, str]]:
    """The rows of the table; `InputError` where a column is missing."""
    try:
        with file.open(encoding="utf-8", newline="") as table:
            reader = csv.DictReader(table)
            missing = [
                c for c in (*_NEEDED, _column(options)) if c not in (reader.fieldnames or ())
            ]
            if missing:
                remedy = f"give the folder of IEMOCAP that holds {FILE}"
                raise InputError(f"has no column '{missing[0]}'", remedy=remedy, source=file)
            rows = list(reader)
    except FileNotFoundError:
        remedy = f"give the folder of IEMOCAP that holds {FILE}"
        raise InputError("no such file", remedy=remedy, source=file) from None
    except OSError as error:
        raise file_error(error, "cannot be read", file) from None
    except (UnicodeDecodeError, csv.Error) as error:
        problem = f"cannot be read ({error})"
        raise InputError(problem, remedy="copy it anew", source=file) from None
    for number, row in enumerate(rows, start=1):
        problem = _wrong_with(row, _column(options))
        if problem:
            raise InputError(f"row {number} {problem}", remedy="copy it anew", source=file)
    return rows


def _wrong_with(row: dict[str, str], label: str) -> str:
    """What makes a row unusable, in words; empty where nothing does."""
    if None in row.values() or None in row:
        return "has another number of columns than the heading"
    try:
        float(row[label] or 0)
    except ValueError:
        return f"has the label '{row[label][:40]}' in column '{label}', which is no number"
    return ""


def _chosen(
    rows: Sequence[dict[str, str]], options: IemocapOptions, file: Path
) -> list[dict[str, str]]:
    """The rows of this label and style; each session must have some."""
    wanted = {"improvised": (False,), "scripted": (True,)}.get(options.style, (False, True))
    kept = [r for r in rows if r[_column(options)] and ("script" in r["dialogue"]) in wanted]
    sessions = {row["session"] for row in kept}
    asked = str(options.session) if options.session is not None else None
    if len(sessions) < 2 or (asked is not None and asked not in sessions):
        problem = f"has labelled utterances of {len(sessions)} sessions"
        raise InputError(problem, remedy="use the complete file", source=file)
    return kept


def _spoken(transcript: str, *, marks: bool) -> str:
    """The words that were said, without the annotators' marks."""
    return transcript if marks else _MARK.sub(" ", transcript).strip(" .,")


def _sample(
    row: dict[str, str], text: str, encoded: FloatArray | None, options: IemocapOptions
) -> Sample:
    sequences = {} if encoded is None else {"text": encoded}
    sound = _acoustic(row)
    if sound is not None:
        sequences["audio"] = sound[None]
    label = float(row[_column(options)])
    if options.label == "valence":
        label = min(max(label, _LOWEST), _HIGHEST)
    target = np.array([label], np.float32)
    return Sample(row["wav_file"], sequences, target, group=row["speaker"], text=text or None)


def _acoustic(row: dict[str, str]) -> FloatArray | None:
    """The eight numbers, long-tailed ones as signed logarithms; None where one is unknown."""
    try:
        values = np.array([float(row[column]) for column in ACOUSTIC])
    except ValueError:
        return None
    tails = len(_LONG_TAILED)
    values[:tails] = np.arcsinh(values[:tails] / _SMALLEST)
    return values.astype(np.float32) if np.isfinite(values).all() else None


def _split(
    samples: Sequence[Sample], sessions: Sequence[str], dialogues: Sequence[str], tested: str
) -> Split:
    others = sorted({d for d, s in zip(dialogues, sessions, strict=True) if s != tested})
    held_out = set(others[::_VALIDATE_EVERY])
    parts: dict[str, list[Sample]] = {part: [] for part in PARTS}
    for sample, session, dialogue in zip(samples, sessions, dialogues, strict=True):
        part = "test" if session == tested else "valid" if dialogue in held_out else "train"
        parts[part].append(sample)
    return Split(**parts)


class Utterance(NamedTuple):
    """What somebody said, which of four emotions raters heard, and how pleasant and aroused.

    Attributes:
        label: of `utterances`; empty where those of all emotions are asked for.
        rated: mean valence and arousal, 1 to 5.
    """

    id: str
    text: str
    label: str
    rated: tuple[float, float]
    session: int
    dialogue: str
    scripted: bool


def utterances(path: Path, *, every: bool = False) -> list[Utterance]:
    """Those of four emotions, or of all, that have words; the path is as of `read_iemocap`.

    Raises:
        InputError: a table without these columns, or without numbers in them.
    """
    file = path / FILE if path.is_dir() else path
    options = IemocapOptions(label="valence" if every else "four")
    rows = _chosen(_read(file, options), options, file)
    labels = _LABELS["four"][1]
    found = [
        Utterance(
            row["wav_file"],
            " ".join(_spoken(row["transcript"], marks=False).split()),
            "" if every else labels[int(float(row[_column(options)]))],
            (_rating(row, _VALENCE, file), _rating(row, _AROUSAL, file)),
            int(row["session"]),
            row["dialogue"],
            "script" in row["dialogue"],
        )
        for row in rows
    ]
    return [utterance for utterance in found if utterance.text]


def _rating(row: dict[str, str], column: str, file: Path) -> float:
    """A mean of raters, of whom some went beyond the scale."""
    try:
        return min(max(float(row[column]), _LOWEST), _HIGHEST)
    except (KeyError, ValueError):
        problem = f"utterance {row['wav_file']} has no number in column '{column}'"
        raise InputError(problem, remedy="copy it anew", source=file) from None
