"""What processes of a team do in tests: functions of a module, which they find by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

from affuse.errors import InputError
from affuse.fusion.across import all_rows, rank, shared_batch


def add_up(content: Any, tell: Callable[..., None]) -> list[float]:
    """Each has so many rows of its own; what all have, and what the first tells."""
    count = content[rank()]
    own = torch.arange(count, dtype=torch.float32)[:, None] * dist.get_world_size() + rank()
    with shared_batch(count, own.device):
        (rows,) = all_rows(own)
    tell("rows", len(rows))
    return [float(x) for x in rows[:, 0]]


def go_wrong(content: str, tell: Callable[..., None]) -> None:
    """The last process goes wrong while the others wait for it."""
    tell("began")
    if rank() == dist.get_world_size() - 1:
        if content == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if content == "refused":
            raise InputError("a file is bad", remedy="mend it")
        raise ValueError("a mistake")
    dist.barrier()


def go_on_for_ever(_: Any, tell: Callable[..., None]) -> None:
    """Until somebody ends it."""
    while True:
        tell(os.getpid())
        time.sleep(0.05)
