"""The windows of a clip as one npz file, which says what they were made of and by what."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.extract.clip import ClipExtractor, Window
from affuse.extract.media.tracks import Wanted
from affuse.extract.text.transcript import Beside, Word
from affuse.extract.whose_face import Whose
from affuse.files import write_atomic
from affuse.samples import MODALITIES, Sample

FORMAT = 3


@dataclass(frozen=True, slots=True)
class StoredClip:
    """What `affuse extract` keeps of a clip."""

    file: str  # the name of the media file
    key: str  # of what the features depend on (`clip_key`)
    duration: float  # in seconds
    extractors: Mapping[str, str]  # modality to the name of its extractor
    settings: Mapping[str, Any]  # of the `ClipExtractor`
    account: Mapping[str, Any]  # what was read and what was lost, as of `Account.to_dict`
    windows: Sequence[Window]


def clip_key(
    path: Path, beside: Beside, extractor: ClipExtractor, tracks: Wanted | None = None
) -> str:
    """A hash of all that comes of a clip: its content, words, tracks, settings and extractors."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    made_by: list[Any] = [FORMAT, repr(beside), tracks or Wanted()]
    made_by += [extractor.settings.model_dump(), extractor.versions]
    if beside.transcript is None and extractor.settings.recognise:
        made_by.append(extractor.features.recogniser)
    digest.update(json.dumps(made_by).encode())
    return digest.hexdigest()[:32]


def write_clip(path: Path, clip: StoredClip) -> None:
    """Write a clip's windows, whole or not at all.

    The array `header` holds JSON (UTF-8) of everything but the features; each modality has its
    steps of all windows one after the other, their seconds as `<modality>.times` and the number
    in each window, 0 where it is absent, as `<modality>.lengths`.
    """
    header = {
        "format": FORMAT,
        "file": clip.file,
        "key": clip.key,
        "duration": clip.duration,
        "extractors": dict(clip.extractors),
        "settings": dict(clip.settings),
        "account": dict(clip.account),
        "windows": [
            {"id": w.sample.id, "start": w.start, "end": w.end, "words": w.words}
            | ({"prints": w.prints} if w.prints else {})
            | ({"face": w.face} if w.face else {})
            for w in clip.windows
        ],
    }
    described = np.frombuffer(json.dumps(header).encode(), np.uint8)
    arrays: dict[str, NDArray[Any]] = {"header": described}
    for modality in sorted({m for w in clip.windows for m in w.sample.sequences}):
        having = [w.sample for w in clip.windows if modality in w.sample.sequences]
        arrays[modality] = np.concatenate([s.sequences[modality] for s in having])
        arrays[f"{modality}.times"] = np.concatenate([s.times[modality] for s in having])
        lengths = [len(w.sample.sequences.get(modality, ())) for w in clip.windows]
        arrays[f"{modality}.lengths"] = np.array(lengths, np.int64)
    write_atomic(path, _npz(arrays))


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """What numpy would write, but for the time of day: equal arrays are equal bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return content.getvalue()


def read_clip(path: Path) -> StoredClip:
    """Read what `write_clip` wrote; `InputError` for any other file."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT:
            raise ValueError
        plain = ("file", "key", "duration", "extractors", "settings", "account")
        windows = _windows(header["windows"], arrays)
        return StoredClip(**{key: header[key] for key in plain}, windows=windows)
    except Exception as error:
        # Whatever is wrong in a file of a foreign hand, it is not one of these.
        problem = f"is not a clip that `affuse extract` wrote ({type(error).__name__})"
        raise InputError(problem, remedy="extract it anew", source=path) from None


def _windows(
    described: Sequence[Mapping[str, Any]], arrays: Mapping[str, NDArray[Any]]
) -> list[Window]:
    modalities = [name for name in MODALITIES if name in arrays]
    parts: dict[str, list[list[NDArray[Any]]]] = {}
    for modality in modalities:
        ends = np.cumsum(arrays[f"{modality}.lengths"])[:-1]
        parts[modality] = [np.split(arrays[name], ends) for name in (modality, f"{modality}.times")]
    windows = []
    for number, window in enumerate(described):
        having = [m for m in modalities if len(parts[m][0][number])]
        words = tuple(Word(*word) for word in window["words"])
        steps, times = ({m: parts[m][kind][number] for m in having} for kind in (0, 1))
        text = " ".join(word.text for word in words) or None
        sample = Sample(window["id"], steps, times=times, text=text)
        prints, face = tuple(window.get("prints", ())), window.get("face")
        found = None if face is None else Whose(*face)._replace(place=tuple(face[3]))
        windows.append(
            Window(window["start"], window["end"], sample, words, prints=prints, face=found)
        )
    return windows
