"""Where jobs are taken, given to workers and ended, and what is old is thrown away."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import AffuseError
from affuse.files import make_folder
from affuse.service.crew import Crew, GivenUp
from affuse.service.ends import Ends
from affuse.service.job import ClipTask, Job, Places, PlayTask, Request
from affuse.service.ledger import Ledger, Unavailable

_PAUSE, _SWEEP = 0.5, 2.0
# A job that was begun so often takes the whole service with it.
_MOST_STARTS = 50

OnEnd = Callable[[Job, str, float], None]
"""Told a job, how it ended (`done`, `failed`) and the seconds that it took."""


@dataclass
class _Running:
    """A job in the hands of a worker."""

    progress: float = 0.0
    given_up: threading.Event = field(default_factory=threading.Event)


class Office:
    """Runs the jobs of a ledger, the longest waiting first.

    Args:
        ledger: whose jobs that were running when another process ended are begun again.
        places: of their files.
        crew: who answers; it has as many jobs at a time as it has processes.
        checkpoint: what a worker loads for the name of a checkpoint.
        fetch: brings the clip of a URL to a place; `AffuseError` where it does not.
        longest: seconds of a recording that are read, at most.
        keep: seconds after its end for which a job and its files stay.
        on_end: told every end, from another thread.
    """

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        crew: Crew,
        *,
        checkpoint: Callable[[str | None], str | None],
        fetch: Callable[[str, Path], None],
        longest: float | None,
        keep: float,
        on_end: OnEnd,
    ) -> None:
        self.ledger, self.places, self.ends = ledger, places, Ends()
        self._crew, self._checkpoint, self._fetch = crew, checkpoint, fetch
        self._longest, self._keep, self._on_end = longest, keep, on_end
        self._running: dict[str, _Running] = {}
        self._played: dict[str, Path] = {}
        self._making_playable = threading.Lock()
        self._stopping, self._wake = threading.Event(), threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve, daemon=True) for _ in range(crew.count)
        ]
        self._threads.append(threading.Thread(target=self._sweep, daemon=True))

    def start(self) -> None:
        """Take up what was left, and begin."""
        make_folder(self.places.folder)
        self.ledger.put_back()
        self._forget_strays()
        for thread in self._threads:
            thread.start()

    def stop(self, grace: float) -> None:
        """Begin nothing more; jobs that run still have `grace` seconds, then they wait again."""
        self.begin_to_stop()
        with self._wake:
            self._wake.notify_all()
        last = time.monotonic() + grace
        while self._running and time.monotonic() < last:
            time.sleep(0.05)
        for running in list(self._running.values()):
            running.given_up.set()
        for thread in self._threads:
            thread.join(_SWEEP + 10)
        self._crew.close()

    def begin_to_stop(self) -> None:
        """Begin nothing more. It may be called by a signal."""
        self._stopping.set()
        self.ends.tell()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def submit(self, job: str, owner: str, request: Request, *, most: int) -> bool:
        """Queue a job whose files are in their places; False where `most` wait already."""
        if not self.ledger.add(job, owner, request, most=most):
            return False
        with self._wake:
            self._wake.notify()
        return True

    def progress(self, job: Job) -> float:
        """Which share of a job is done, in [0, 1]."""
        running = self._running.get(job.id)
        if running is not None and not job.state.ended:
            return running.progress
        return 1.0 if job.state.ended and job.error is None else 0.0

    def playable(self, job: Job) -> Path:
        """A file of a job's clip that browsers play, which a worker makes if need be.

        Raises:
            AffuseError: there can be none, and why.
        """
        # One at a time: a player asks for several parts at once.
        with self._making_playable:
            known = self._played.get(job.id)
            if known is None or not known.exists():
                clip = self.places.clip(job.id, job.request.clip)
                task = PlayTask(clip, self.places.played(job.id))
                known = self._played[job.id] = self._crew.playable(task)
            return known

    def remove(self, job: str) -> None:
        """Forget a job and its files, and stop it if it runs."""
        self.ledger.remove(job)
        self.ends.tell(job)
        self._played.pop(job, None)
        running = self._running.get(job)
        if running is not None:
            # Its files go when its worker has let them go.
            running.given_up.set()
            return
        self.places.remove(job)

    def _serve(self) -> None:
        """What each thread does: one job after the other."""
        while not self.stopping:
            try:
                job = self.ledger.take()
            except Unavailable:
                time.sleep(_PAUSE)
                continue
            if job is None:
                with self._wake:
                    self._wake.wait(_PAUSE)
                continue
            running = self._running[job.id] = _Running()
            try:
                self._run(job, running)
            finally:
                del self._running[job.id]
                self._forget_removed(job.id)

    def _run(self, job: Job, running: _Running) -> None:
        began = time.monotonic()
        try:
            result = self._answer(job, running)
            ended = self._insist(lambda: self.ledger.end(job.id, result=result))
            how = "done"
        except GivenUp:
            with suppress(Unavailable):
                self.ledger.put_back(job.id)
            return
        except AffuseError as error:
            line = str(error)
            ended = self._insist(lambda: self.ledger.end(job.id, error=line))
            how = "failed"
        except Exception as error:  # a fault of the program costs its own job alone
            fault = f"a fault of the service ({type(error).__name__})"
            ended = self._insist(lambda: self.ledger.end(job.id, error=fault))
            how = "failed"
        if ended:
            self.ends.tell(job.id)
            self._on_end(job, how, time.monotonic() - began)

    def _answer(self, job: Job, running: _Running) -> bytes:
        if job.starts > _MOST_STARTS:
            raise AffuseError(f"the service ended {_MOST_STARTS} times while it was read")
        request, clip = job.request, self.places.clip(job.id, job.request.clip)
        if request.url is not None and not clip.exists():
            make_folder(clip.parent)
            self._fetch(request.url, clip)
        if running.given_up.is_set():
            raise GivenUp

        def on_share(share: float) -> None:
            running.progress = max(running.progress, share)

        sent = request.transcript
        transcript = None if sent is None else self.places.transcript(job.id, sent)
        checkpoint = self._checkpoint(request.checkpoint)
        task = ClipTask(request, clip, transcript, checkpoint, self._longest)
        return self._crew.run(task, on_share, running.given_up)

    def _insist(self, write: Callable[[], bool]) -> bool:
        """Try until it is written; what is not, when the service ends, is done again."""
        while True:
            try:
                return write()
            except Unavailable:
                if self.stopping:
                    return False
                time.sleep(_PAUSE)

    def _sweep(self) -> None:
        """Throw away what ended long ago."""
        while not self._stopping.wait(_SWEEP):
            with suppress(Unavailable):
                for job in self.ledger.ended_before(time.time() - self._keep):
                    self.remove(job)

    def _forget_removed(self, job: str) -> None:
        with suppress(Unavailable):
            if not self.ledger.holds(job):
                self.places.remove(job)

    def _forget_strays(self) -> None:
        """Remove files whose job was never queued: the service ended amid their upload."""
        known = self.ledger.known()
        for folder in self.places.folder.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
