"""MFN against the paper's equations, written out step by step."""

from __future__ import annotations

import torch
from torch import nn

from affuse.batches import collate
from affuse.fusion import create_model

WIDTHS = {"text": 4, "audio": 2, "vision": 3}
SMALL = {"cells": {"text": 3, "audio": 2}, "width": 4, "memory": 5, "steps": 20}


def test_equals_the_equations(random_samples) -> None:
    """On aligned steps, a sample by itself, one step after the other."""
    model = create_model("mfn", WIDTHS, 2, SMALL).eval()
    (sample,) = random_samples(WIDTHS, [(6, 6, 6)])
    inputs = [torch.from_numpy(x) for x in sample.sequences.values()]
    hidden = [torch.zeros(1, n) for n in (3, 2, 4)]
    cells, memory = list(hidden), torch.zeros(1, 5)
    for t in range(6):
        before = torch.cat(cells, dim=1)
        for i, cell in enumerate(model.cells.values()):
            hidden[i], cells[i] = cell(inputs[i][None, t], (hidden[i], cells[i]))
        window = torch.cat([before, *cells], dim=1)
        attended = torch.softmax(model.attention(window), dim=1) * window
        both = torch.cat([attended, memory], dim=1)
        gamma1, gamma2 = torch.sigmoid(model.retain(both)), torch.sigmoid(model.update(both))
        memory = gamma1 * memory + gamma2 * torch.tanh(model.proposal(attended))
    expected = model.head(torch.cat([*hidden, memory], dim=1))
    torch.testing.assert_close(model(collate([sample])).prediction, expected)


def test_cells_equal_those_of_torch(random_samples) -> None:
    model = create_model("mfn", WIDTHS, 1, SMALL).eval()
    cell = model.cells["text"]
    lstm = nn.LSTM(4, 3, batch_first=True)
    for name, parameter in cell.named_parameters():
        getattr(lstm, f"{name}_l0").data = parameter.data
    seen = {}
    model.head.register_forward_pre_hook(lambda _, args: seen.update(last=args[0]))
    batch = collate(random_samples(WIDTHS, [(6, 6, 6), (3, 3, 3)]))
    model(batch)
    states = lstm(batch.sequences["text"])[0]
    torch.testing.assert_close(seen["last"][:, :3], torch.stack([states[0, 5], states[1, 2]]))


def test_memory_holds_what_came_before(random_samples) -> None:
    """The first step of audio reaches the memory of the last, past audio's own LSTM."""
    model = create_model("mfn", WIDTHS, 1, SMALL).eval()
    one, other = random_samples(WIDTHS, [(6, 6, 6), (6, 6, 6)])
    audio = one.sequences["audio"].copy()
    audio[0] = other.sequences["audio"][0]
    changed = one.with_sequences({**one.sequences, "audio": audio})
    latents = model(collate([one, changed]), detail=True).latents
    assert latents is not None
    assert (latents["memory"][0] != latents["memory"][1]).any(dim=1).all()
