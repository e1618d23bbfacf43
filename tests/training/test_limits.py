"""What a machine cannot do is a line that says what to try."""

from __future__ import annotations

import pytest
import torch

from affuse.errors import InputError
from affuse.training.limits import memory_told, operators_told

CPU = "[enforce fail at alloc_cpu.cpp:119] . DefaultCPUAllocator: can't allocate memory: you tried"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(CPU),
        MemoryError("Unable to allocate 7 TiB for an array"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    ],
)
def test_the_batch_size_is_named_and_half_of_it(error: Exception) -> None:
    with pytest.raises(InputError) as told, memory_told(48):
        raise error
    said = str(told.value)
    assert said.startswith("out of memory with batch_size=48; try --set batch_size=24 in another")
    assert "--resume goes on after the last whole epoch" in said
    assert "\n" not in said


def test_less_than_one_sample_is_not_asked_for() -> None:
    with pytest.raises(InputError, match="try shorter sequences"), memory_told(1):
        raise MemoryError


def test_what_else_goes_wrong_is_left_as_it_is() -> None:
    for guard in (memory_told(4), operators_told()):
        with pytest.raises(RuntimeError, match="sizes"), guard:
            raise RuntimeError("sizes of tensors must match")


def test_an_operator_that_is_not_deterministic_is_named() -> None:
    said = "cumsum_cuda_kernel does not have a deterministic implementation, but you set"
    with pytest.raises(InputError, match="operator cumsum_cuda_kernel is not"), operators_told():
        raise RuntimeError(said)


def test_what_else_this_process_does_need_not_be_deterministic() -> None:
    with operators_told():
        torch.use_deterministic_algorithms(True)
    assert not torch.are_deterministic_algorithms_enabled()
