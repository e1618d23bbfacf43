"""A service as what answers the clips of `affuse predict`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from threading import Event

from affuse.errors import AffuseError, InputError
from affuse.extract.account import require_no_notices
from affuse.extract.text.transcript import transcript_beside
from affuse.files import make_folder, to_strict_json, write_atomic
from affuse.process_pool import Finished, Tell
from affuse.runtime.many_clips import PredictedClip
from affuse.scale.clip_workers import ClipJob, words_of
from affuse.service.client import Options, ServiceClient
from affuse.service.side_by_side import side_by_side, unless

AT_ONCE = 4
"""Clips that are asked for at once, unless somebody says otherwise."""


@dataclass(frozen=True)
class ServiceEngine:
    """Has jobs done by a service, by the checkpoints that it offers. All are asked for anew.

    Attributes:
        client: of the service.
        checkpoint: a name that it offers; None for all that come with affuse.
        at_once: clips that are asked for at once.
    """

    client: ServiceClient
    checkpoint: str | None
    at_once: int = AT_ONCE

    def run(self, jobs: Iterable[ClipJob], *, progress: Tell) -> Generator[Finished]:
        """What becomes of jobs, in their order."""
        del progress
        yield from side_by_side(self._finished, jobs, self.at_once)

    def _finished(self, job: ClipJob, given_up: Event) -> Finished:
        try:
            return Finished(job.number, job, PredictedClip(job.clip, self._content(job, given_up)))
        except AffuseError as error:
            return Finished(job.number, job, error=error)

    def _content(self, job: ClipJob, given_up: Event) -> dict[str, object]:
        if job.url is not None:
            remedy = "send its URL to POST /v1/jobs, or leave out --server"
            raise InputError(
                "is a URL, which --server does not send", remedy=remedy, source=job.source
            )
        if job.segment is not None:
            remedy = "cut it out of its recording, or leave out --server"
            raise InputError(
                "is a part of a recording, which --server sends whole",
                remedy=remedy,
                source=job.source,
            )
        path, reading = job.clip.path, job.reading
        beside = job.beside or words_of(job) or transcript_beside(path)
        options = Options(
            self.checkpoint,
            reading.recognise,
            *reading.tracks,
            reading.window,
            reading.alone,
            reading.faces,
        )
        content = self.client.content(path, beside, options, progress=unless(given_up))
        if job.out is not None:
            place = job.out / f"{job.clip.name}.json"
            make_folder(place.parent)
            write_atomic(place, to_strict_json(content).encode())
        if reading.strict:
            require_no_notices(path, content["notices"])
        return content
