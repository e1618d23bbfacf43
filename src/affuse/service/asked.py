"""What `affuse predict --server` asks of a service, told as if it was answered here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from affuse.errors import InputError
from affuse.extract.folder import find_clips, require_distinct
from affuse.scale.prediction import Outcome, Request
from affuse.scale.shards import Shard
from affuse.service.client import Options, ServiceClient, answer_clips


class AskedOfService:
    """As `affuse.scale.prediction.Prediction`, by a service.

    Raises:
        InputError: no clips, or what a service does not do.
    """

    def __init__(self, request: Request, url: str) -> None:
        _require_fit(request)
        self._request, self._client = request, ServiceClient(url)
        self._clips = find_clips(request.sources)
        if request.distinct or request.out is not None:
            require_distinct(self._clips)
        if request.beside is not None and len(self._clips) > 1:
            remedy = "lay each transcript beside its clip under the same name"
            raise InputError(f"one transcript for {len(self._clips)} clips", remedy=remedy)
        self.total, self.repeated = len(self._clips), 0
        self.known = self.answered = self.failed = 0
        self.seconds = 0.0

    @property
    def done(self) -> int:
        """Clips of which it is known what becomes."""
        return self.answered + self.failed

    def run(self, on_word: Callable[[str], None], *, ordered: bool = False) -> Iterator[Outcome]:
        """What becomes of each clip, in their order."""
        del on_word, ordered
        request, reading = self._request, self._request.reading
        checkpoint = None if request.checkpoint is None else str(request.checkpoint)
        options = Options(checkpoint, reading.recognise, reading.tracks.audio, reading.tracks.video)
        transcript = None if request.beside is None else request.beside.transcript
        answers = answer_clips(
            *(self._client, self._clips, options),
            out=request.out,
            transcript=transcript,
            strict=reading.strict,
        )
        for number, one in enumerate(answers):
            if one.content is None:
                self.failed += 1
            else:
                self.answered += 1
                self.seconds += one.content["duration"]
            name = one.clip.name.as_posix()
            yield Outcome(number, str(one.clip.path), name, one.content, one.error)


def _require_fit(request: Request) -> None:
    reading = request.reading
    chosen = {
        "--parquet": request.parquet is not None,
        "--shard": request.shard != Shard(),
        "--jobs": request.jobs is not None,
        "--engine": request.engine != "local",
        "--timeout and --memory": any(request.limits),
        "--max-errors": request.max_errors is not None,
        "--window": reading.window is not None,
        "--adapt": reading.adapt != "recording" or reading.speaker_from is not None,
        "a table of clips": any(Path(s).suffix in (".csv", ".jsonl") for s in request.sources),
    }
    for option in (name for name, asked in chosen.items() if asked):
        remedy = "leave it out, or predict on the spot"
        raise InputError(f"{option} of a service", remedy=remedy)
