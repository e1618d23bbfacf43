"""Many clips answered by one call, on this machine or a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.api.arguments import as_path
from affuse.api.in_use import load
from affuse.ending import kept_on_sigterm
from affuse.progress import work_bar

if TYPE_CHECKING:
    from affuse.extract.features import Faces
    from affuse.runtime.adapting import Adapt

# What a call keeps of errors: the rest is in the tables.
_ERRORS = 1000


@dataclass
class Predictions:
    """What came of a call of `predict`.

    Attributes:
        answered: clips that were answered now.
        known: clips that the folder of tables had an answer for before.
        failed: clips that have none.
        seconds: of recordings that were answered now.
        answers: JSON content of each, in the order of the sources; empty where `out` or `parquet`
            keeps them.
        errors: a line for each of the first clips that failed.
    """

    answered: int = 0
    known: int = 0
    failed: int = 0
    seconds: float = 0.0
    answers: list[dict[str, Any]] = field(default_factory=list, repr=False)
    errors: list[str] = field(default_factory=list, repr=False)

    def to_records(self) -> list[dict[str, Any]]:
        """A plain row for each window of `answers`, for a data frame."""
        from affuse.report.answer_files import window_rows

        return [row for answer in self.answers for row in window_rows(answer)]


def predict(
    sources: str | Path | Sequence[str | Path],
    checkpoint: str | Path | None = None,
    *,
    out: str | Path | None = None,
    parquet: str | Path | None = None,
    jobs: int | None = None,
    shard: str = "1/1",
    recognise: bool = False,
    window: float | None = None,
    adapt: Adapt = "recording",
    speaker_from: str | None = None,
    faces: Faces = "one",
    audio_track: int | None = None,
    video_track: int | None = None,
    strict: bool = False,
    timeout: float | None = None,
    memory: float | None = None,
    max_errors: int | None = None,
    engine: str = "local",
    address: str | None = None,
    device: str = "auto",
) -> Predictions:
    """Answer clips, by processes where there are many; one that cannot be read stops none.

    Args:
        sources: files, folders, globs, URLs, or tables with a column `path` (docs/scale.md).
        checkpoint: as `load` takes it.
        out: a folder that keeps a JSON of each clip; what is there is not done again.
        parquet: a folder that keeps tables of windows, clips and errors; likewise.
        jobs: processes; by default one for a few clips, else as many as there are cores.
        shard: the share to do: `2/8` is the second of eight.
        window: seconds of windows; by default they follow speech.
        adapt: to what features are adapted: each `recording`, the `folder` of all, each `speaker`,
            or `none`.
        speaker_from: a regular expression that finds the speaker in a file's name.
        faces: of several the one that speaks (`one`), or a timeline of each, too (`all`).
        timeout: seconds that a clip may take.
        memory: megabytes that the process which reads a clip may hold.
        max_errors: clips that may fail before the rest is given up.
        engine: `local`, or `ray` for the cluster at `address`.
        device: of onnxruntime, in every process: `auto`, `cpu`, `cuda` or `dml`.

    Raises:
        InputError: no clips, or a request that cannot be met; more clips failed than may.
    """
    from affuse.extract.features import one_of_faces
    from affuse.extract.media.tracks import Wanted
    from affuse.process_pool import Limits
    from affuse.runtime.adapting import one_of_adapt
    from affuse.runtime.many_clips import Reading
    from affuse.scale.prediction import Prediction, Request
    from affuse.scale.shards import Shard

    several = [sources] if isinstance(sources, str | Path) else sources
    loaded = load(checkpoint, device=device)
    # What was exported for this call lies where it was exported to.
    place = checkpoint if loaded.exported is None else loaded.sessions[0].folder
    request = Request(
        tuple(map(str, several)),
        place,
        Reading(
            *(Wanted(audio_track, video_track), recognise, strict, window),
            adapt=one_of_adapt(adapt),
            speaker_from=speaker_from,
            faces=one_of_faces(faces),
        ),
        out=as_path(out),
        parquet=as_path(parquet),
        jobs=jobs,
        shard=Shard.parse(shard),
        limits=Limits(timeout, memory),
        max_errors=max_errors,
        engine=engine,
        address=address,
        device=device,
    )
    prediction, found = Prediction(request), Predictions()
    kept = out is not None or parquet is not None
    with (
        kept_on_sigterm(goes_on=kept),
        work_bar("predict", "clips") as update,
        closing(prediction.run(ordered=not kept)) as outcomes,
    ):
        for one in outcomes:
            update(prediction.done - prediction.known, prediction.total - prediction.known, "")
            if one.error is not None and len(found.errors) < _ERRORS:
                found.errors.append(str(one.error))
            if one.content is not None and not kept:
                found.answers.append(one.content)
    for name in ("answered", "known", "failed", "seconds"):
        setattr(found, name, getattr(prediction, name))
    return found
