"""A batch that processes have divided among them, of which what is said is said of the whole.

Losses and statistics of a batch are not always means over its samples. So each process computes
them from the rows of all: its own, through which gradients pass, and those that the others sent.
The sum of the gradients of all processes is then that of one process with the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

_counts: list[int] | None = None
"""Rows that each process has of the batch in hand; None where one process has all."""


@contextmanager
def shared_batch(rows: int, device: torch.device) -> Iterator[None]:
    """While it lasts, `all_rows` brings together what processes have of a batch.

    All processes must enter it, each with its number of rows, and ask for the same things.
    Alone, nothing changes.

    Args:
        rows: that count of this process's share.
        device: on which they lie.
    """
    global _counts
    if processes() == 1:
        yield
        return
    found = [torch.zeros((), dtype=torch.long, device=device) for _ in range(processes())]
    dist.all_gather(found, torch.tensor(rows, device=device))
    _counts = [int(count) for count in found]
    try:
        yield
    finally:
        _counts = None


def processes() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this process is, from 0."""
    return dist.get_rank() if processes() > 1 else 0


def all_rows(*tensors: Tensor) -> Sequence[Tensor]:
    """The rows `(N, ...)` of all processes for each of `(B, ...)`, in the order of the batch.

    Samples have been dealt out like cards: the first to the first process, the second to the
    second. What this process has beyond the rows that count is left out.
    """
    if _counts is None:
        return tensors
    flat = torch.cat([x.flatten(1).float() for x in tensors], dim=1)
    here = rank()
    own = flat[: _counts[here]]
    padded = flat.new_zeros(max(_counts), flat.shape[1])
    padded[: len(own)] = own.detach()
    sent = [torch.empty_like(padded) for _ in _counts]
    dist.all_gather(sent, padded)
    rows = [own if n == here else x[: _counts[n]] for n, x in enumerate(sent)]
    # In the order of dealing.
    places = [row * len(_counts) + n for n, count in enumerate(_counts) for row in range(count)]
    order = torch.tensor(places).argsort().to(flat.device, non_blocking=True)
    widths = [x.shape[1:].numel() for x in tensors]
    whole = torch.split_with_sizes(torch.cat(rows)[order], widths, dim=1)
    return [
        part.reshape(len(part), *x.shape[1:]).to(x.dtype)
        for part, x in zip(whole, tensors, strict=True)
    ]
