"""What the service tells whoever runs it: figures for Prometheus, and lines of a log.

Neither holds names of files, words, addresses or keys.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

from starlette.types import Scope

# Asked every few seconds, by machines.
_QUIET = ("/healthz", "/readyz", "/metrics")
_BUCKETS = (0.5, 1, 2, 5, 10, 30, 60, 300, 1800)


class Telemetry:
    """Counts and logs. Its methods may be called from any thread."""

    def __init__(self, log: IO[str] | None = None) -> None:
        self._log = sys.stderr if log is None else log
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._ends: Counter[str] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds, self._jobs, self._bytes = 0.0, 0, 0

    def asked(self, scope: Scope, status: int, seconds: float) -> None:
        """A request was answered; of its path only the pattern is kept."""
        route = getattr(scope.get("route"), "path", "other")
        with self._lock:
            self._requests[scope["method"] if route != "other" else "any", route, status] += 1
        if route not in _QUIET:
            self.say("request", route=route, status=status, ms=round(seconds * 1000, 1))

    def received(self, size: int) -> None:
        with self._lock:
            self._bytes += size

    def ended(self, how: str, seconds: float) -> None:
        """A job ended so, after so many seconds of work."""
        with self._lock:
            self._ends[how] += 1
            self._jobs, self._seconds = self._jobs + 1, self._seconds + seconds
            for bucket in _BUCKETS:
                self._buckets[bucket] += seconds <= bucket

    def say(self, event: str, level: str = "info", **about: Any) -> None:
        """A line of the log, as JSON."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        line = json.dumps({"time": f"{moment}Z", "level": level, "event": event, **about})
        with self._lock:
            print(line, file=self._log, flush=True)

    def metrics(self, jobs: Mapping[str, int], live: int) -> str:
        """The figures in Prometheus' text format.

        Args:
            jobs: how many there are in each state.
            live: sessions now.
        """
        with self._lock:
            return "\n".join((*self._figures(jobs, live), ""))

    def _figures(self, jobs: Mapping[str, int], live: int) -> Iterator[str]:
        yield "# HELP affuse_jobs Jobs that are kept, by state."
        yield "# TYPE affuse_jobs gauge"
        yield from (f'affuse_jobs{{state="{state}"}} {n}' for state, n in jobs.items())
        yield "# HELP affuse_jobs_ended_total Jobs that ended, by how."
        yield "# TYPE affuse_jobs_ended_total counter"
        for how in ("done", "failed"):
            yield f'affuse_jobs_ended_total{{how="{how}"}} {self._ends[how]}'
        yield "# HELP affuse_job_seconds What jobs took, without waiting."
        yield "# TYPE affuse_job_seconds histogram"
        for bucket in _BUCKETS:
            yield f'affuse_job_seconds_bucket{{le="{bucket}"}} {self._buckets[bucket]}'
        yield f'affuse_job_seconds_bucket{{le="+Inf"}} {self._jobs}'
        yield f"affuse_job_seconds_sum {self._seconds:.3f}"
        yield f"affuse_job_seconds_count {self._jobs}"
        yield "# HELP affuse_upload_bytes_total Bytes of clips that were sent."
        yield "# TYPE affuse_upload_bytes_total counter"
        yield f"affuse_upload_bytes_total {self._bytes}"
        yield "# HELP affuse_live_sessions Live sessions now."
        yield "# TYPE affuse_live_sessions gauge"
        yield f"affuse_live_sessions {live}"
        yield "# HELP affuse_requests_total Requests that were answered."
        yield "# TYPE affuse_requests_total counter"
        for (method, route, status), count in sorted(self._requests.items()):
            about = f'method="{method}",route="{route}",status="{status}"'
            yield f"affuse_requests_total{{{about}}} {count}"
