"""What every registered model must do; a new model is tested here with no further work."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from affuse.batches import Batch, collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, FusionOutput, count_parameters, create_model, models
from affuse.samples import Sample

WIDTHS = {"text": 12, "audio": 5, "vision": 7}
FOREIGN = {"eeg": 3, "gaze-left": 2, "heart rate": 1, "skin": 4}
LENGTHS = [(4, 9, 6), (1, 1, 1), (7, 2, 11), (3, 12, 1), (8, 5, 5)]
SUBSETS = [kept for size in (1, 2, 3) for kept in combinations(WIDTHS, size)]

every_model = pytest.mark.parametrize("name", sorted(models()))


@pytest.fixture
def build(perturb):
    """Build a model in evaluation mode whose every part has an effect."""

    def make(name: str, widths=WIDTHS, outputs: int = 2) -> FusionModel:
        torch.manual_seed(0)
        model = create_model(name, widths, outputs)
        perturb(model)
        return model.eval()

    return make


def answer(model: FusionModel, batch: Batch) -> FusionOutput:
    with torch.no_grad():
        output: FusionOutput = model(batch)
    return output


def usable(model: FusionModel, samples: list[Sample]) -> list[Sample]:
    """The samples with some modality that the model takes."""
    return [sample for sample in samples if sample.keep(model.modalities).sequences]


def pad(batch: Batch, steps: int, value: float) -> Batch:
    """More padded steps, and `value` in all padded places."""
    masks = {m: torch.nn.functional.pad(mask, (0, steps)) for m, mask in batch.masks.items()}
    sequences = {
        m: torch.nn.functional.pad(x, (0, 0, 0, steps)).masked_fill(~masks[m][..., None], value)
        for m, x in batch.sequences.items()
    }
    return Batch(sequences, masks, batch.targets, batch.ids)


@every_model
@pytest.mark.parametrize("outputs", [1, 8])
@pytest.mark.parametrize("widths", [WIDTHS, {"text": 12, "audio": 5}, FOREIGN])
def test_trains(name, random_samples, outputs, widths) -> None:
    model = create_model(name, widths, outputs).train()
    count = len(widths)
    lengths = np.random.default_rng(1).integers(1, 9, size=(5, count)).tolist()
    output = model(collate(random_samples(widths, lengths)))
    parts = (output.prediction, output.unimodal, output.expected_loss, output.regulariser)
    torch.stack([p.square().sum() for p in parts if p is not None]).sum().backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


@every_model
def test_one_modality_works_or_is_refused(name, random_samples) -> None:
    try:
        model = create_model(name, {"text": 12}, 1).eval()
    except InputError:
        with pytest.raises(InputError, match="text alone"):
            create_model(name, {"text": 12}, 1)
        return
    output = answer(model, collate(random_samples({"text": 12}, [(3,), (1,)])))
    assert output.prediction.shape == (2, 1)
    assert output.gate.tolist() == [[1.0], [1.0]]


@every_model
def test_shapes(name, build, random_samples) -> None:
    model = build(name, outputs=3)
    output = answer(model, collate(random_samples(WIDTHS, LENGTHS)))
    count = len(model.modalities)
    assert output.prediction.shape == (5, 3)
    assert output.gate.shape == (5, count)
    assert output.primary.shape == (5,)
    assert output.primary.dtype == torch.long
    assert output.unimodal is None or output.unimodal.shape == (5, count, 3)
    assert output.expected_loss is None or output.expected_loss.shape == (5, count)
    assert output.attention is None
    assert output.latents is None


@every_model
def test_detail_changes_nothing_and_shows_distributions(
    name, build, random_samples, assert_same
) -> None:
    model = build(name)
    samples = usable(model, random_samples(WIDTHS, [*LENGTHS, (3, 0, 2), (2, 4, 0)]))
    batch = collate(samples)
    with torch.no_grad():
        detailed = model(batch, detail=True)
    assert_same(answer(model, batch), detailed)
    for weights in (detailed.attention or {}).values():
        assert weights.ndim == 4
        assert (weights >= 0).all()
        rows = weights.sum(dim=3)
        # A row is zero where the sample lacks the source.
        assert torch.minimum((rows - 1).abs(), rows).max() < 1e-5
        assert rows.any()
    for stream in (detailed.latents or {}).values():
        assert stream.ndim == 3
        assert stream.shape[0] == batch.size
        assert torch.isfinite(stream).all()


@every_model
def test_gate_weighs_what_is_present(name, build, random_samples) -> None:
    model = build(name)
    lengths = [[(3 if m in kept else 0) for m in WIDTHS] for kept in SUBSETS]
    batch = collate(usable(model, random_samples(WIDTHS, lengths)))
    output, present = answer(model, batch), model.presence(batch)
    torch.testing.assert_close(output.gate.sum(dim=1), torch.ones(batch.size))
    assert (output.gate >= 0).all()
    assert not output.gate[~present].any()
    assert present[torch.arange(batch.size), output.primary].all()


@every_model
@pytest.mark.parametrize("value", [0.0, 1e3])
def test_padding_changes_nothing(name, build, random_samples, assert_same, value) -> None:
    model = build(name)
    batch = collate(usable(model, random_samples(WIDTHS, [*LENGTHS, (0, 3, 2), (3, 2, 0)])))
    assert_same(answer(model, pad(batch, 13, value)), answer(model, batch))


@every_model
def test_neighbours_and_order_change_nothing(name, build, random_samples, assert_same) -> None:
    model = build(name)
    samples = random_samples(WIDTHS, LENGTHS)
    together = answer(model, collate(samples))
    assert_same(answer(model, collate(samples[::-1])), together, [4, 3, 2, 1, 0])
    for row, sample in enumerate(samples):
        assert_same(answer(model, collate([sample])), together, [row])


@every_model
def test_order_of_modalities_changes_nothing(name, build, random_samples, assert_same) -> None:
    model = build(name)
    samples = random_samples(WIDTHS, LENGTHS)
    assert_same(
        answer(model, collate(samples, ["vision", "text", "audio"])),
        answer(model, collate(samples, ["text", "audio", "vision"])),
    )


@every_model
@pytest.mark.parametrize("kept", SUBSETS, ids="+".join)
def test_any_subset(name, build, random_samples, assert_same, kept) -> None:
    """Missing for the whole batch is the same as missing for a sample among complete ones."""
    model = build(name)
    complete = random_samples(WIDTHS, LENGTHS)
    reduced = [sample.keep(kept) for sample in complete]
    if not set(kept) & set(model.modalities):
        with pytest.raises(InputError, match="sample0"):
            answer(model, collate(reduced))
        return
    alone, mixed = answer(model, collate(reduced)), answer(model, collate([*reduced, *complete]))
    assert torch.isfinite(alone.prediction).all()
    assert_same(alone, mixed, range(5))
    assert_same(answer(model, collate(complete)), mixed, range(5, 10))


@every_model
def test_foreign_modality_is_ignored(name, build, random_samples, assert_same) -> None:
    model = build(name)
    samples = random_samples(WIDTHS, LENGTHS)
    extra = random_samples({"odour": 2}, [(3,)] * 5, seed=1)
    both = [
        sample.with_sequences({**other.sequences, **sample.sequences})
        for sample, other in zip(samples, extra, strict=True)
    ]
    assert_same(answer(model, collate(both)), answer(model, collate(samples)))
    with pytest.raises(InputError, match="sample0"):
        answer(model, collate(extra))


@every_model
@pytest.mark.parametrize("longest", [1, 2, 3, 31, 300])
def test_lengths(name, build, random_samples, longest) -> None:
    lengths = [(longest, 1, longest), (1, longest, 1), (longest, longest, longest)]
    output = answer(build(name), collate(random_samples(WIDTHS, lengths)))
    assert torch.isfinite(output.prediction).all()


@every_model
def test_evaluation_repeats_itself(name, build, random_samples) -> None:
    model = build(name)
    batch = collate(random_samples(WIDTHS, LENGTHS))
    assert torch.equal(answer(model, batch).prediction, answer(model, batch).prediction)


@every_model
def test_sample_without_data_is_refused(name, build, random_samples) -> None:
    samples = [*random_samples(WIDTHS, LENGTHS), Sample("empty", {})]
    with pytest.raises(InputError, match="'empty' has no modality with data"):
        answer(build(name), collate(samples))


@every_model
def test_trains_on_a_batch_of_one(name, build, random_samples) -> None:
    model = build(name).train()
    prediction = model(collate(random_samples(WIDTHS, [(1, 1, 1)]))).prediction
    prediction.sum().backward()
    assert torch.isfinite(prediction).all()


@every_model
def test_state_survives_a_round_trip(name, build, random_samples, assert_same) -> None:
    model, twin = build(name), create_model(name, WIDTHS, 2).eval()
    model.track(torch.tensor([0.9, 0.3, 0.6])[: len(model.modalities)])
    batch = collate(random_samples(WIDTHS, LENGTHS))
    twin.load_state_dict(model.state_dict())
    assert_same(answer(twin, batch), answer(model, batch))


@every_model
def test_unknown_option_names_the_nearest(name) -> None:
    known = next(iter(models()[name].cls.Options.model_fields), None)
    if known is None:
        pytest.skip("a model without options")
    with pytest.raises(InputError, match=f"unknown option '{known}x'; did you mean '{known}'"):
        create_model(name, WIDTHS, 1, {f"{known}x": 1})


@every_model
def test_entry_describes_the_model(name) -> None:
    entry = models()[name]
    assert entry.name == name
    assert len(entry.summary) > 10
    assert count_parameters(create_model(name, WIDTHS, 1)) > 0


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown model 'multt'; did you mean 'mult'\?"):
        create_model("multt", WIDTHS, 1)


@pytest.mark.parametrize("widths", [{}, {"text": 0}])
def test_impossible_widths_are_refused(widths) -> None:
    with pytest.raises(InputError, match="width of 1 or more"):
        create_model("mult", widths, 1)
