"""The masked LSTM against torch's own on packed sequences."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affuse.fusion.recurrent import MaskedLSTM, last_step

LENGTHS = torch.tensor([5, 1, 7])
MASK = torch.arange(9) < LENGTHS[:, None]


def test_equals_a_packed_bidirectional_lstm() -> None:
    ours = MaskedLSTM(3, 4, bidirectional=True)
    theirs = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    assert ours.backwards is not None
    for name, parameter in ours.forwards.named_parameters():
        getattr(theirs, name).data = parameter.data
    for name, parameter in ours.backwards.named_parameters():
        getattr(theirs, f"{name}_reverse").data = parameter.data
    x = torch.randn(3, 9, 3)
    packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, (last, _) = theirs(packed)
    states, final = ours(x, MASK)
    padded = pad_packed_sequence(expected, batch_first=True, total_length=9)[0]
    torch.testing.assert_close(states, padded)
    torch.testing.assert_close(final, torch.cat([last[0], last[1]], dim=1))


def test_no_real_step_gives_zeros() -> None:
    states, final = MaskedLSTM(3, 4, bidirectional=True)(torch.randn(3, 9, 3), MASK & False)
    assert not states.any()
    assert not final.any()


def test_last_step_is_the_last_real_one() -> None:
    x = torch.arange(27.0).reshape(3, 9, 1)
    assert last_step(x, MASK)[:, 0].tolist() == [4.0, 9.0, 24.0]
