"""OGM-GE: who is slowed and by how much, and which models can be asked for it."""

from __future__ import annotations

import math

import pytest
import torch

from affuse.errors import InputError
from affuse.fusion import create_model, members_of
from affuse.training.balance import gradient_scales, modulate
from affuse.training.module import FusionModule
from affuse.training.own_answers import has_own_heads
from affuse.training.session import require_trainable, train_run

WIDTHS = {"text": 4, "audio": 3}
SMALL = {"width": 8, "heads": 2}


def test_who_runs_ahead_is_slowed() -> None:
    # Probabilities of the right class: text 0.8 and 0.4, audio 0.2 and 0.4.
    losses = -torch.tensor([[0.8, 0.2], [0.4, 0.4]]).log()
    present = torch.ones(2, 2, dtype=torch.bool)
    scales = gradient_scales(losses, present, 0.5)
    assert scales.tolist() == pytest.approx([1 - math.tanh(0.5 * 2), 1.0])
    # Where the second sample lacks text, 0.8 stands against 0.6.
    present[1, 0] = False
    assert float(gradient_scales(losses, present, 0.5)[0]) == pytest.approx(
        1 - math.tanh(0.5 * 0.8 / 0.6)
    )


def test_each_is_held_against_the_mean_of_the_others() -> None:
    losses = -torch.tensor([[0.9, 0.3, 0.1]]).log()
    scales = gradient_scales(losses, torch.ones(1, 3, dtype=torch.bool), 0.1)
    assert scales.tolist() == pytest.approx([1 - math.tanh(0.09 / 0.2), 1.0, 1.0])


def test_gradients_of_encoders_are_scaled_and_get_noise_of_their_own_size() -> None:
    torch.manual_seed(0)
    model = create_model("concat", WIDTHS, 1, {"width": 64, "own_heads": True})
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter) * 0.1 + 5
    modulate(model, torch.tensor([0.25, 1.0]))
    # Those of constant size, so that only noise makes them differ from a scaled one.
    wide = [p.grad for p in model.parts()["encoder.text"][0].parameters() if p.numel() > 2000]
    assert wide
    for gradient in wide:
        assert float(gradient.mean()) == pytest.approx(1.25, abs=0.02)
        assert float(gradient.std()) == pytest.approx(math.hypot(0.025, 0.1), rel=0.1)
    untouched = [p.grad for p in model.head.parameters()]
    assert all(float(g.mean()) == pytest.approx(5, abs=0.3) for g in untouched)


def test_models_without_own_answers_are_refused_before_training(
    corpus, small_plan, tmp_path
) -> None:
    for name in ("concat", "mult"):
        wrong = small_plan(name, ogm_ge=0.3, **({"width": 10} if name == "mult" else {}))
        with pytest.raises(InputError, match=f"and {name} has no such answers; set it for models"):
            train_run(corpus, wrong, seed=0, folder=tmp_path / name)
        assert not (tmp_path / name).exists()
    for name in ("hct_mg", "unimodal:text"):
        require_trainable(corpus, small_plan(name, ogm_ge=0.3))


def test_concat_has_heads_of_its_own_where_asked() -> None:
    plain, own = (create_model("concat", WIDTHS, 1, {**SMALL, "own_heads": x}) for x in (0, 1))
    assert not has_own_heads(plain)
    assert has_own_heads(own)
    assert not has_own_heads(create_model("unimodal:text", WIDTHS, 1, SMALL))


def test_each_member_is_balanced_by_itself(
    corpus, small_plan, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled: list[list[torch.Tensor]] = []
    hook = FusionModule.on_after_backward

    def noted(module: FusionModule) -> None:
        scaled.append(module._scales)
        hook(module)

    monkeypatch.setattr(FusionModule, "on_after_backward", noted)
    asked = {"ogm_ge": 0.5, "members": 2, "own_heads": True, "epochs": 1}
    made = train_run(corpus, small_plan("concat", **asked), seed=0, folder=tmp_path)
    assert len(members_of(made.model)) == 2
    assert all(len(scales) == 2 and scales[0].shape == (3,) for scales in scaled)
    assert any(not torch.equal(*scales) for scales in scaled)
    assert any(bool((scales[0] < 1).any()) for scales in scaled)
