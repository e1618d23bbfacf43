"""A device for tests where there is none: tensors with values that do not lie with the host.

What a graphics card would refuse is refused: operators on tensors of two devices (those without
dimensions are let through, as there), and arrays made of what has not been brought back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = torch.device("lazy:0")
"""One that every build of torch knows well enough to believe that tensors lie there."""


class _There(Tensor):
    """A tensor that lies on `DEVICE`; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> _There:
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=DEVICE
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, kwargs or {})


class Elsewhere(TorchDispatchMode):
    """While it is entered, `DEVICE` can be used."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _There not in types and kwargs.get("device") is None:
            return func(*args, **kwargs)
        return _call(func, args, kwargs)


def _call(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Tensor)]
    inputs = any(isinstance(x, _There) for x in tensors)
    wanted = kwargs.get("device")
    copied = func.overloadpacket in (torch.ops.aten._to_copy, torch.ops.aten.copy_)
    strangers = [x for x in tensors if not isinstance(x, _There) and x.dim()]
    if inputs and strangers and not copied:
        raise RuntimeError(f"{func}: tensors on {DEVICE} and on the host")
    there = inputs if wanted is None else torch.device(wanted).type == DEVICE.type
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map_only(_There, lambda x: x.held, (args, kwargs))
    known = {id(x.held): x for x in tensors if isinstance(x, _There)}
    with torch._C._DisableTorchDispatch():  # type: ignore[attr-defined]
        found = func(*args, **kwargs)
    if not there:
        return found
    return tree_map_only(Tensor, lambda x: known[id(x)] if id(x) in known else _There(x), found)
