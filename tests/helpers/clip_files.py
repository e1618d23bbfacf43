"""Short clips, each a little different, for tests of many."""

from __future__ import annotations

import shutil
from pathlib import Path


def write_clips(folder: Path, count: int, recording: Path) -> list[Path]:
    """Copies of a recording with its transcript, each a little shorter than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    content = recording.read_bytes()
    places = []
    for number in range(count):
        place = folder / f"clip{number:03}{recording.suffix}"
        place.write_bytes(content[: len(content) - 640 * number])
        shutil.copy(recording.with_suffix(".srt"), place.with_suffix(".srt"))
        places.append(place)
    return places
