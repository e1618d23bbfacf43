"""Sound and picture of single samples on a page, and what follows the player's time beneath."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from affuse.errors import InputError, file_error
from affuse.extract.media.playable import playable
from affuse.extract.media.segments import Segment
from affuse.files import digest_file, make_folder
from affuse.report.charts import Bar, Drawing, colours, timeline
from affuse.samples import Recording

if TYPE_CHECKING:
    from affuse.incongruity.cases import Case


class CaseMedia(NamedTuple):
    """What a page plays of a sample.

    Attributes:
        source: its address, from the page's place where that is possible; "" if it cannot be read.
        pictures: whether there are any.
        start: the second of the file at which the sample starts.
        seconds: for which it lasts.
        notice: what is lost, in words.
    """

    source: str
    pictures: bool
    start: float
    seconds: float
    notice: str = ""


def require_recordings(recordings: Mapping[str, Recording], corpus: str) -> None:
    """Raise `InputError` where a corpus does not say where its recordings lie."""
    if not recordings:
        remedy = "explain a folder of clips, or leave out --with-media"
        raise InputError(f"{corpus} does not say where its recordings lie", remedy=remedy)


def media_of(
    ids: Sequence[str], recordings: Mapping[str, Recording], page: Path, *, copy: bool
) -> dict[str, CaseMedia]:
    """What a page plays of samples, where it is known.

    Recordings are linked to. What browsers do not play is converted into a folder beside the page,
    called after it.

    Args:
        page: the file of the page.
        copy: put all into that folder, so that both can be moved.
    """
    taken = {name: recordings[name] for name in ids if name in recordings}
    return {
        name: _shown(found.path, Segment(found.start, found.end), found.end, page, copy=copy)
        for name, found in taken.items()
    }


def clip_media(path: Path, seconds: float, page: Path, *, copy: bool) -> CaseMedia:
    """What a page plays of a whole clip, that long; otherwise as `media_of`."""
    return _shown(path, Segment(0.0, None), seconds, page, copy=copy)


def _shown(path: Path, segment: Segment, end: float, page: Path, *, copy: bool) -> CaseMedia:
    folder, seconds = page.with_name(f"{page.stem}-media"), end - segment.start
    try:
        found = playable(path, segment, folder)
        place = found.path
        if copy and place == path:
            place = _copied(place, folder)
    except InputError as error:
        return CaseMedia("", False, 0.0, seconds, f"cannot be played: {error}")
    # Players that know no scripts stop at the end of a part, too.
    part = f"#t={found.start:.3f},{found.start + seconds:.3f}"
    source = _address(place, page) + part * (found.end is not None)
    return CaseMedia(source, found.pictures, found.start, seconds, found.notice)


def _copied(path: Path, folder: Path) -> Path:
    make_folder(folder)
    place = folder / f"{digest_file(path)[:16]}{path.suffix}"
    draft = place.with_name(f".{os.getpid()}-{place.name}")
    try:
        if not place.exists():
            shutil.copyfile(path, draft)
            draft.replace(place)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise file_error(error, "cannot be written", place) from None
    return place


def _address(path: Path, page: Path) -> str:
    """Of a file, as a link of the page; whole where no way leads there, as to another drive."""
    try:
        way = os.path.relpath(os.path.realpath(path), os.path.realpath(page.parent))
    except ValueError:
        return path.resolve().as_uri()
    return quote(Path(way).as_posix())


def timed(case: Case, media: CaseMedia) -> list[tuple[str, Drawing, str]]:
    """Lanes over the seconds of a sample: where modalities are heard, and the gate."""
    css, end = colours(case.steps), max(media.seconds, 1e-3)
    lanes = []
    for modality, spans in case.conflict.spans.items():
        whole = case.steps.get(modality, 1) == 1
        bars = []
        for span in spans:
            known = span.start is not None and span.end is not None and not whole
            first, last = (span.start or 0.0, span.end or end) if known else (0.0, end)
            bars.append(Bar(min(first, end), min(last, end), css[modality], str(span)))
        words = f"Stretches of {modality} that carry what it says, over {end:.1f} s"
        lanes.append((modality, timeline(words, bars, end, height=24.0), f"{end:.1f} s"))
    if case.gate:
        bars, low = [], 0.0
        for modality, weight in case.gate.items():
            name = css.get(modality, modality)
            bars.append(Bar(0.0, end, name, f"{modality} {weight:.2f}", weight, low))
            low += weight
        words = "Gate weights: " + ", ".join(f"{m} {w:.2f}" for m, w in case.gate.items())
        lanes.append(("gate", timeline(words, bars, end, height=36.0), "one for all of it"))
    return lanes
