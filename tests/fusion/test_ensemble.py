"""Members: what several networks of one kind say together, of any registered model."""

from __future__ import annotations

import pickle

import pytest
import torch

from affuse.batches import Batch, collate
from affuse.config import Options
from affuse.errors import InputError
from affuse.fusion import (
    FusionModel,
    count_parameters,
    create_model,
    each_of,
    members_of,
    models,
    register_model,
)

WIDTHS = {"text": 6, "audio": 4, "vision": 3}
LENGTHS = [(4, 6, 5), (2, 3, 1), (5, 0, 2)]

every_model = pytest.mark.parametrize("name", sorted(models()))


@pytest.fixture
def batch(random_samples) -> Batch:
    return collate(random_samples(WIDTHS, LENGTHS))


def build(name: str, members: int, **options) -> FusionModel:
    torch.manual_seed(0)
    return create_model(name, WIDTHS, 2, {"members": members, **options}).eval()


@every_model
def test_the_mean_answers(name, batch, perturb, assert_same) -> None:
    model = build(name, 3)
    perturb(model)
    assert model.gated == models()[name].cls.gated
    assert model.options.members == 3
    with torch.no_grad():
        output, alone = model(batch), [network(batch) for network in members_of(model)]
    assert len(output.members) == len(alone) == 3
    for said, member in zip(each_of(output), alone, strict=True):
        assert_same(said, member)
    for part in ("prediction", "gate", "unimodal"):
        if (whole := getattr(output, part)) is not None:
            parts = torch.stack([getattr(member, part) for member in alone])
            torch.testing.assert_close(whole, parts.mean(dim=0))
    assert output.gate.gather(1, output.primary[:, None]).eq(output.gate.amax(1, True)).all()


@every_model
def test_members_begin_with_weights_of_their_own(name) -> None:
    model, single = build(name, 2), build(name, 1)
    assert count_parameters(model) == 2 * count_parameters(single)
    first, second = members_of(model)
    assert all(map(torch.equal, first.parameters(), single.parameters()))
    assert not all(map(torch.equal, first.parameters(), second.parameters()))
    assert first.options == single.options


@every_model
def test_a_single_member_is_the_model_itself(name) -> None:
    model = build(name, 1)
    assert type(model) is models()[name].cls
    assert members_of(model) == [model]


@every_model
def test_they_can_be_stored(name, batch, assert_same) -> None:
    model, twin = build(name, 2), build(name, 2)
    model.track(torch.tensor([0.9, 0.3, 0.6])[: len(model.modalities)])
    twin.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert_same(model(batch), pickle.loads(pickle.dumps(twin))(batch))


def test_attention_and_latents_are_those_of_the_first(batch) -> None:
    model = build("hct_mg", 2)
    with torch.no_grad():
        output, first = model(batch, detail=True), members_of(model)[0](batch, detail=True)
    assert output.members[1].latents is None
    for part in ("attention", "latents"):
        found, known = getattr(output, part), getattr(first, part)
        assert found.keys() == known.keys()
        assert all(torch.equal(found[key], known[key]) for key in known)


def test_members_may_trust_another(batch, perturb) -> None:
    """Each has a gate of its own; together they name the one of the largest mean weight."""
    model = build("hct_mg", 2, granularity="sample", temperature=0.05)
    perturb(model)
    with torch.no_grad():
        output = model(batch)
    assert not torch.equal(output.members[0].gate, output.members[1].gate)


def test_an_option_of_that_name_is_refused() -> None:
    class Own(Options):
        members: int = 3

    class Crowd(models()["concat"].cls):
        """A model with members of its own."""

        Options = Own

    with pytest.raises(InputError, match="has an option 'members' of its own"):
        register_model("crowd")(Crowd)
    assert "crowd" not in models()


@pytest.mark.parametrize("members", [0, -1, 1.5])
def test_less_than_one_is_refused(members) -> None:
    with pytest.raises(InputError, match="members"):
        create_model("concat", WIDTHS, 2, {"members": members})
