"""TFN's outer product and LMF's low-rank form of it."""

from __future__ import annotations

import pytest
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import create_model
from affuse.fusion.tensor_fusion import outer_product

WIDTHS = {"text": 6, "audio": 2, "vision": 3}
LENGTHS = [(4, 9, 6), (1, 1, 1), (7, 2, 3)]
SMALL = {"recurrent_width": 5, "recurrent_output": 4, "width": 3}


def test_outer_product_by_hand() -> None:
    """With a 1 in front: every modality alone, every pair and all three."""
    text, audio, vision = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 3.0]]), torch.ones(1, 3)
    vision[0, 1:] = torch.tensor([5.0, 7.0])
    product = outer_product([text, audio, vision])
    assert product.tolist() == [[1, 5, 7, 3, 15, 21, 2, 10, 14, 6, 30, 42]]


def test_tfn_infers_from_the_product_of_its_vectors(random_samples) -> None:
    model = create_model("tfn", WIDTHS, 2, SMALL).eval()
    output = model(collate(random_samples(WIDTHS, LENGTHS)), detail=True)
    assert output.latents is not None
    text, audio, vision = (
        torch.cat([torch.ones(3, 1), z[:, 0]], dim=1) for z in output.latents.values()
    )
    tensor = torch.einsum("bi,bj,bk->bijk", text, audio, vision)
    torch.testing.assert_close(output.prediction, model.inference(tensor.flatten(1)))


def test_absent_modality_leaves_the_product_of_the_others(random_samples) -> None:
    model = create_model("tfn", WIDTHS, 2, SMALL).eval()
    seen = {}
    model.inference[1].register_forward_pre_hook(lambda _, args: seen.update(tensor=args[0]))
    output = model(collate(random_samples(WIDTHS, [(4, 0, 6)])), detail=True)
    tensor = seen["tensor"].reshape(5, 4, 4)
    assert output.latents is not None
    expected = torch.outer(*(torch.cat([torch.ones(1), z[0, 0]]) for z in present(output.latents)))
    torch.testing.assert_close(tensor[:, 0], expected)
    assert not tensor[:, 1:].any()


def present(latents: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [latents["text"], latents["vision"]]


def test_tensor_stays_within_its_limit() -> None:
    """Paper's sizes for three modalities; equally narrow vectors for four; no room for 18."""
    three = create_model("tfn", {"text": 300, "audio": 5, "vision": 20}, 1)
    assert three.inference[1].in_features == 129 * 33 * 33
    four = create_model("tfn", dict.fromkeys(("eeg", "gaze", "pulse", "skin"), 5), 1)
    assert four.inference[1].in_features == 19**4 <= 150_000 < 20**4
    with pytest.raises(InputError, match="18 modalities: their outer product has more than 150,0"):
        create_model("tfn", {f"m{i}": 2 for i in range(18)}, 1)


def test_lmf_equals_its_full_weight_tensor(random_samples) -> None:
    """The weight tensor written out, and contracted with TFN's product."""
    model = create_model("lmf", WIDTHS, 2, SMALL | {"rank": 3}).eval()
    output = model(collate(random_samples(WIDTHS, LENGTHS)), detail=True)
    assert output.latents is not None
    vectors = [torch.cat([torch.ones(3, 1), z[:, 0]], dim=1) for z in output.latents.values()]
    weights = torch.einsum("r,ric,rjc,rkc->ijkc", model.mix[0], *model.factors)
    expected = outer_product(vectors) @ weights.flatten(0, 2) + model.bias
    torch.testing.assert_close(output.prediction, expected)


def test_lmf_takes_many_modalities(random_samples) -> None:
    widths = {f"m{i}": 2 for i in range(18)}
    output = create_model("lmf", widths, 1).eval()(collate(random_samples(widths, [(3,) * 18])))
    assert torch.isfinite(output.prediction).all()
