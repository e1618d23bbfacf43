"""Rows of a batch that processes have divided: in order, each once, gradients to their own."""

from __future__ import annotations

import pytest
import torch

from affuse.fusion import across
from affuse.fusion.across import all_rows, processes, rank, shared_batch


@pytest.fixture
def shares(monkeypatch: pytest.MonkeyPatch):
    """`shares(counts, here, sent)`: process `here` of several, to which the others send rows."""

    def be(counts: list[int], here: int, sent: dict[int, torch.Tensor]) -> None:
        def all_gather(found: list[torch.Tensor], own: torch.Tensor) -> None:
            for number, place in enumerate(found):
                rows = own if number == here else sent[number]
                place[: len(rows)] = rows

        monkeypatch.setattr(across, "_counts", counts)
        monkeypatch.setattr(across, "rank", lambda: here)
        monkeypatch.setattr(across.dist, "all_gather", all_gather)

    return be


def test_alone_nothing_changes() -> None:
    x, present = torch.rand(3, 2), torch.tensor([[True], [False], [True]])
    with shared_batch(3, x.device):
        same = all_rows(x, present)
    assert same[0] is x
    assert same[1] is present
    assert (processes(), rank()) == (1, 0)


def test_rows_are_in_the_order_of_dealing_and_keep_their_kind(shares) -> None:
    whole = torch.arange(10.0).reshape(5, 2)
    flags = torch.tensor([True, False, True, True, False])[:, None]
    sent = torch.cat([whole, flags.float()], dim=1)
    shares([3, 2], 1, {0: sent[0::2]})
    rows, marks = all_rows(whole[1::2], flags[1::2])
    assert torch.equal(rows, whole)
    assert torch.equal(marks, flags)
    assert marks.dtype == torch.bool


def test_gradients_pass_through_own_rows_alone(shares) -> None:
    own = torch.tensor([[1.0], [2.0]], requires_grad=True)
    shares([2, 2], 0, {1: torch.tensor([[3.0], [4.0]])})
    (rows,) = all_rows(own)
    assert rows[:, 0].tolist() == [1, 3, 2, 4]
    rows.square().mean().backward()
    assert own.grad is not None
    assert own.grad[:, 0].tolist() == [0.5, 1.0]


def test_what_counts_for_nothing_has_a_gradient_of_zero(shares) -> None:
    """A process without a share takes part all the same: the others wait for its gradients."""
    stand_in = torch.tensor([[9.0]], requires_grad=True)
    shares([1, 0], 1, {0: torch.tensor([[3.0]])})
    (rows,) = all_rows(stand_in)
    assert rows.tolist() == [[3.0]]
    rows.sum().backward()
    assert stand_in.grad is not None
    assert stand_in.grad.tolist() == [[0.0]]
