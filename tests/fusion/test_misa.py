"""MISA's losses against hand-worked cases, and what they are taken over."""

from __future__ import annotations

import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import create_model
from affuse.fusion.misa import moment_discrepancy, overlap_loss

WIDTHS = {"text": 6, "audio": 2, "vision": 3}
SMALL = {"width": 8, "feed_forward": 16}
LENGTHS = [(4, 9, 6), (1, 1, 1), (7, 2, 3), (5, 5, 5)]
ALL = torch.ones(2, dtype=torch.bool)


def test_moment_discrepancy_by_hand() -> None:
    """0 and 1 against 0.5 twice: means and odd moments agree; 1/4 and 1/16 are the even ones."""
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.5], [0.5]])
    assert float(moment_discrepancy(x, y, ALL, ALL)) == pytest.approx(1 / 4 + 1 / 16)
    # A shift moves the mean alone; a norm joins the features.
    shifted = torch.cat([x + 0.3, x - 0.4], dim=1)
    assert float(moment_discrepancy(shifted, x.expand(2, 2), ALL, ALL)) == pytest.approx(0.5)


def test_overlap_by_hand() -> None:
    """Rows +-(1, 0) and +-(0, 1): all of the product is in one entry, 2, of four."""
    x, y = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    assert float(overlap_loss(x, y, ALL)) == pytest.approx(2**2 / 4)
    # Orthogonal over the batch: each row's part is undone by another's.
    x = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    y = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    assert float(overlap_loss(x, y, torch.ones(4, dtype=torch.bool))) == pytest.approx(0, abs=1e-9)


def test_absent_rows_do_not_count() -> None:
    x, y = torch.rand(5, 3), torch.rand(5, 3)
    present = torch.tensor([True, False, True, True, False])
    some = torch.ones(3, dtype=torch.bool)
    torch.testing.assert_close(
        overlap_loss(x, y, present), overlap_loss(x[present], y[present], some)
    )
    torch.testing.assert_close(
        moment_discrepancy(x, y, present, present),
        moment_discrepancy(x[present], y[present], some, some),
    )
    assert float(moment_discrepancy(x, y, present, present & False)) == 0


def test_regulariser_is_the_weighted_sum_of_three(random_samples) -> None:
    torch.manual_seed(0)
    samples = random_samples(WIDTHS, [*LENGTHS, (3, 0, 2)])
    weights = {"similarity": 1.0, "difference": 0.3, "reconstruction": 1.0}
    model = create_model("misa", WIDTHS, 1, SMALL | weights).train()
    total = float(model(collate(samples)).regulariser.detach())
    alone = {}
    for name in weights:
        single = create_model("misa", WIDTHS, 1, SMALL | dict.fromkeys(weights, 0.0) | {name: 1.0})
        single.load_state_dict(model.state_dict())
        alone[name] = float(single.train()(collate(samples)).regulariser.detach())
    assert all(part > 0 for part in alone.values())
    assert total == pytest.approx(sum(weights[name] * part for name, part in alone.items()))


def test_reconstruction_vanishes_where_it_succeeds(random_samples) -> None:
    """Decoders that give a constant, for vectors that are that constant."""
    model = create_model("misa", WIDTHS, 1, SMALL | {"similarity": 0.0, "difference": 0.0}).train()
    for modality, extractor in model.extractors.items():
        torch.nn.init.zeros_(extractor.project[2].weight)
        torch.nn.init.constant_(extractor.project[2].bias, 0.7)
        torch.nn.init.zeros_(model.decoders[modality].weight)
        torch.nn.init.constant_(model.decoders[modality].bias, 0.7)
    batch = collate(random_samples(WIDTHS, LENGTHS))
    assert float(model(batch).regulariser.detach()) == pytest.approx(0, abs=1e-9)
    torch.nn.init.constant_(model.decoders["audio"].bias, 1.0)
    assert float(model(batch).regulariser.detach()) == pytest.approx(0.3**2 / 3)


def test_descending_the_losses_aligns_and_separates(random_samples) -> None:
    model = create_model("misa", WIDTHS, 1, SMALL).train()
    batch = collate(random_samples(WIDTHS, LENGTHS))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = model(batch).regulariser
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


def test_no_losses_outside_training(random_samples) -> None:
    model = create_model("misa", WIDTHS, 1, SMALL).eval()
    assert model(collate(random_samples(WIDTHS, LENGTHS))).regulariser is None


def test_refuses_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(InputError, match="width 9 is not a multiple of heads 2"):
        create_model("misa", WIDTHS, 1, {"width": 9})
