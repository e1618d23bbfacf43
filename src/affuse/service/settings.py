"""How a service is run."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from affuse.config import Options


class ServiceSettings(Options):
    """What an operator decides; every limit has a default that is safe on a small machine."""

    data: Path
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    public_hosts: tuple[str, ...] = ()  # names under which it may be reached, beside localhost
    proxies: tuple[str, ...] = ()  # addresses whose word on who asks is believed
    root_path: str = ""  # the prefix under which a proxy shows it
    workers: int = Field(default=2, ge=1, le=256)
    checkpoints: Path | None = None  # a folder of more checkpoints, each in a folder of its own
    keys: Path | None = None  # names and hashes of keys; without it nobody needs one
    rate: int = Field(default=600, ge=0, le=10**6)  # jobs a minute of one key or address; 0 is any
    max_upload: int = Field(default=512, ge=1, le=10**6)  # MB
    max_seconds: float = Field(default=7200.0, gt=0)  # of a recording
    max_queue: int = Field(default=1000, ge=1, le=10**7)
    job_seconds: float = Field(default=3600.0, gt=0)  # that an answer may take
    keep: float = Field(default=86_400.0, ge=1)  # seconds for which files and answers stay
    grace: float = Field(default=10.0, ge=0, le=3600)  # seconds to finish, once asked to end
    idle: float = Field(default=20.0, gt=0)  # seconds without a byte, in an upload
    slowest: float = Field(default=2000.0, ge=0)  # bytes a second of an upload, at least
    live: int = Field(default=2, ge=0, le=256)  # live sessions at once
    allowed_hosts: tuple[str, ...] = ()  # where clips may be fetched, and who may be called back
    secret: str | None = Field(default=None, min_length=16)  # that callbacks are signed with
    memory: int = Field(default=4000, ge=256, le=10**7)  # MB of a worker

    @property
    def most_bytes(self) -> int:
        return self.max_upload * 1_000_000


def usual_folder() -> Path:
    """Where a user's services keep their jobs."""
    from platformdirs import user_data_path

    return user_data_path("affuse") / "service"


def usual_workers() -> int:
    """A worker for each core that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1
