"""Rows of the tables of answers: windows, clips and errors, and the types of their columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from affuse.extract.text.transcript import files_beside
from affuse.report.answer_files import interval_of, top_emotion, values_of, window_rows
from affuse.runtime.predictor import Predictor
from affuse.scale.manifests import Row
from affuse.scale.remote import is_url, shown_url
from affuse.scale.shards import key_of

KINDS = ("windows", "clips", "errors")
Content = Mapping[str, Any]


class Columns(NamedTuple):
    """What columns depend on checkpoints: labels of emotion, modalities, names of values."""

    labels: tuple[str, ...]
    modalities: tuple[str, ...]
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, predictor: Predictor) -> Columns:
        tasks = [session.config.task for session in predictor.sessions]
        labels, values = (
            next((task[key] for task in tasks if task.get(key)), ()) for key in ("labels", "names")
        )
        modalities = dict.fromkeys(m for s in predictor.sessions for m in s.modalities)
        return cls(tuple(labels), tuple(modalities), tuple(values))


def arrow_schema(arrow: Any, kind: str, columns: Columns) -> Any:
    """The columns of a table and their types."""
    number, text = arrow.float32(), arrow.string()
    answer = {
        **dict.fromkeys(("sentiment", "sentiment_low", "sentiment_high"), number),
        **{f"value_{name}": number for name in columns.values},
        "emotion": text,
        "primary": text,
        "conflict": number,
        **{f"emotion_{label}": number for label in columns.labels},
        **{f"gate_{modality}": number for modality in columns.modalities},
    }
    key = {"key": arrow.uint64(), "file": text}
    fields = {
        "windows": {
            **key,
            "start": arrow.float64(),
            "end": arrow.float64(),
            **answer,
            "text": text,
        },
        "clips": {
            **key,
            "start": arrow.float64(),
            "duration": arrow.float64(),
            "windows": arrow.int32(),
            **answer,
            "words": arrow.int32(),
            "notices": arrow.list_(text),
            "size": arrow.int64(),
            "modified": text,
            "state": arrow.uint64(),
        },
        "errors": {**key, "error": text},
    }
    return arrow.schema(list(fields[kind].items()))


def state_of(size: int | None, modified: object, row: Row | None, said: str = "") -> int:
    """64 bits that tell that a clip has changed, or what is said in it.

    Args:
        said: the state of transcripts, as `said_state` tells it.
    """
    # Where a transcript lies is in its state, wherever the manifest is named from.
    told = "" if row is None else repr(row._replace(path="", transcript=None)[1:])
    return key_of(f"{size} {modified} {told} {said}")


def said_state(place: str, row: Row | None) -> str:
    """The files that say what is said in a clip, and the state of each; of URLs their name alone.

    Words that stand in a manifest are of its row.
    """
    if row is not None and row.text is not None:
        return ""
    if row is not None and row.transcript is not None:
        url = is_url(row.transcript)
        return shown_url(row.transcript) if url else _file_state(row.transcript)
    if is_url(place):
        return ""
    return " ".join(map(_file_state, files_beside(Path(place))))


def _file_state(place: str | Path) -> str:
    name = os.path.abspath(place)  # noqa: PTH100 - of a million, and what links lead to is no matter
    try:
        found = os.stat(name)  # noqa: PTH116
    except OSError:
        return f"{name} -"
    return f"{name} {found.st_size} {found.st_mtime_ns}"


class Rows:
    """Rows that are not written yet."""

    def __init__(self) -> None:
        self._rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}

    def __len__(self) -> int:
        """Of how many clips."""
        return len(self._rows["clips"]) + len(self._rows["errors"])

    def of(self, kind: str) -> Sequence[dict[str, Any]]:
        return self._rows[kind]

    def answer(self, key: int, content: Content, row: Row | None, state: Mapping[str, Any]) -> None:
        """The answer for a clip, whose file is in that state (see `PredictedClip`).

        Beside it, `said` is the state of its transcript.
        """
        found = {"key": key, "file": content["file"]}
        self._rows["windows"] += [{**window, **found} for window in window_rows(content)]
        size, modified = state.get("size"), state.get("modified")
        self._rows["clips"].append(
            {
                **found,
                "start": content.get("segment", [0.0])[0],
                "duration": content["duration"],
                "windows": len(content["timeline"]),
                **{key: content[key] for key in ("sentiment", "primary", "conflict", "notices")},
                **interval_of(content),
                **values_of(content),
                "emotion": top_emotion(content),
                **_named("emotion", (content["emotion"] or {}).items()),
                **_named("gate", content["gate"].items()),
                "words": len(content["words"]),
                "size": size,
                "modified": None if modified is None else str(modified),
                "state": state_of(
                    *_compared(content["file"], size, modified), row, state.get("said", "")
                ),
            }
        )

    def error(self, key: int, file: str, error: Exception) -> None:
        """Why a clip has none."""
        self._rows["errors"].append({"key": key, "file": file, "error": str(error)})


def _compared(file: str, size: Any, modified: Any) -> tuple[Any, Any]:
    """What is looked at again before a clip is answered: of one far away nothing."""
    return (None, None) if is_url(file) else (size, modified)


def _named(begin: str, values: Iterable[tuple[str, float]]) -> dict[str, float]:
    return {f"{begin}_{name}": value for name, value in values}
