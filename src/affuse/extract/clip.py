"""A clip to windows of text, audio and vision: media decoded once, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import Field

from affuse.config import Options
from affuse.extract.transcript import Transcript, Word
from affuse.samples import Sample

Source = Path | BinaryIO
"""A media file, or a stream of one that need not be seekable, such as standard input."""

OnSeconds = Callable[[float, float | None], None]
"""Told the seconds that are done, of how many; None where the length is not known."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a recording.

    Attributes:
        start: in seconds from the start of the recording.
        end: likewise; with the last window, the end of the recording.
        sample: any of `text`, `audio` and `vision`, with the second, from the start of the
            recording, at which each step starts. A modality without content is absent: no word,
            no speech, no face. All may be.
        words: those whose middle lies in the window.
    """

    start: float
    end: float
    sample: Sample
    words: tuple[Word, ...]


class ClipSettings(Options):
    """What is extracted. Stored with a checkpoint, so that predictions see what training saw."""

    text: Literal["glove", "minilm"] = "glove"
    layers: tuple[int, ...] = Field(default=(6,), min_length=1, description="MiniLM's layers")
    cepstra: int = Field(default=20, ge=0, le=39, description="mel cepstra beside the descriptors")
    audio: Literal["frames", "functionals"] = Field(
        default="functionals",
        description="voice descriptors every 10 ms (frames), or one step a window of their "
        "statistics over it (functionals, as affuse.extract.functionals makes them)",
    )
    pool: int = Field(default=1, ge=1, le=100, description="voice frames averaged into one step")
    expression: bool = Field(
        default=True,
        description="beside the measures of a face, what a network reads in its pixels: "
        "affuse.extract.face.expression, where that is there",
    )
    fps: float = Field(default=12.0, gt=0, le=60, description="faces read a second, at most")
    window: float = Field(default=10.0, ge=1, le=60, description="seconds of a window")
    step: float | None = Field(
        default=None, ge=0.5, le=60, description="seconds between the ends of windows; as window"
    )
    recognise: bool = Field(default=False, description="recognise speech without a transcript")


class ClipExtractor:
    """Reads clips. Models are loaded when they are first needed, and kept.

    Attributes:
        widths: modality to the width of its features.
        versions: modality to the name of its extractor, which changes whenever features would.
    """

    widths: dict[str, int]
    versions: dict[str, str]

    def __init__(self, settings: ClipSettings | None = None) -> None:
        self.settings = ClipSettings() if settings is None else settings

    def windows(
        self,
        source: Source,
        transcript: Transcript | None = None,
        *,
        progress: OnSeconds | None = None,
    ) -> Iterator[Window]:
        """The windows of a recording in order, each as soon as it is read; at least one.

        A window ends every `step` seconds and holds the last `window` seconds. Memory does not
        grow with the length of the recording.

        Raises:
            InputError: nothing in it can be read as sound or pictures.
        """
        raise NotImplementedError

    def duration(self, source: Source) -> float | None:
        """The length in seconds that the media file states; None where it states none."""
        raise NotImplementedError
