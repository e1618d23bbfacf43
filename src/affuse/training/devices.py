"""Where torch models work: on the processor or on an accelerator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from affuse.errors import InputError

AUTO = "auto"


def devices() -> list[str]:
    """Names of the devices that this machine has, the one that `auto` takes first."""
    mps = ["mps"] if torch.backends.mps.is_available() else []
    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return [*mps, *cuda, "cpu"]


def resolve_device(name: str = AUTO) -> torch.device:
    """The device of that name.

    Args:
        name: `auto` for an accelerator if there is one, `cpu`, `mps`, `cuda` for the first graphics
            card or `cuda:1` for the second.

    Raises:
        InputError: this machine has no such device.
    """
    known = devices()
    wanted = {AUTO: known[0], "cuda": "cuda:0"}.get(name, name)
    if wanted not in known:
        raise InputError(
            f"this machine has no device '{name}'",
            remedy=f"choose one of: {', '.join((AUTO, *known))}",
        )
    return torch.device(wanted)


@contextmanager
def on_device(model: nn.Module, name: str = AUTO) -> Iterator[torch.device]:
    """The model on a device while the block runs; afterwards it is where it was.

    Raises:
        InputError: as `resolve_device`.
    """
    device = resolve_device(name)
    before = next((x.device for x in chain(model.parameters(), model.buffers())), device)
    if before == device:
        yield device
        return
    model.to(device)
    try:
        yield device
    finally:
        model.to(before)


@contextmanager
def processor_threads(count: int) -> Iterator[None]:
    """So many threads of torch while the block runs; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
