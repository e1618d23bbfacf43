"""MulT against its published size and an independent reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import count_parameters, create_model
from affuse.fusion.mult import MulT
from affuse.samples import Sample

WIDTHS = {"text": 12, "audio": 5, "vision": 7}
LENGTHS = [(4, 9, 6), (1, 1, 1), (7, 2, 11), (3, 12, 1)]


def build(seed: int = 0, **options: object) -> MulT:
    """A small MulT in evaluation mode, with no weight or bias left at its initial constant."""
    torch.manual_seed(seed)
    model = create_model("mult", WIDTHS, 2, {"width": 10, "layers": 2, "heads": 5} | options)
    assert isinstance(model, MulT)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model.eval()


def test_parameters_match_public_code() -> None:
    model = create_model("mult", {"text": 300, "audio": 5, "vision": 20}, 1)
    assert count_parameters(model) == 1_071_211


def test_crossmodal_encoder_for_each_ordered_pair() -> None:
    widths = {"gaze": 3, "pulse": 1, "voice": 4, "words": 6}
    model = create_model("mult", widths, 1, {"width": 10, "layers": 1})
    assert isinstance(model, MulT)
    assert len(model.crossmodal) == 4 * 3
    assert model.head.in_features == 4 * 3 * 10


def test_rejects_one_modality() -> None:
    with pytest.raises(InputError, match=r"text alone; .*unimodal"):
        create_model("mult", {"text": 12}, 1)


def test_rejects_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(InputError, match="7 heads do not divide width 30"):
        create_model("mult", WIDTHS, 1, {"heads": 7})


@pytest.mark.parametrize("causal", [False, True])
def test_equals_reference(random_samples, causal: bool) -> None:
    """A padded batch gives what an unpadded reference gives for each sample by itself."""
    model = build(causal=causal)
    samples = random_samples(WIDTHS, LENGTHS)
    with torch.no_grad():
        prediction = model(collate(samples)).prediction
        expected = torch.stack([reference(model, sample) for sample in samples])
    torch.testing.assert_close(prediction, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{"kernel": 3}, {"causal": True}])
def test_invariant_to_padding_batch_and_order(random_samples, assert_same, options) -> None:
    model = build(**options)
    samples = random_samples(WIDTHS, [*LENGTHS, (5, 0, 2)])
    with torch.no_grad():
        together = model(collate(samples))
        backwards = model(collate(samples[::-1]))
        alone = [model(collate([sample])) for sample in samples]
    assert_same(backwards, together, [4, 3, 2, 1, 0])
    for row, output in enumerate(alone):
        assert_same(output, together, [row])


def test_missing_source_leaves_the_target_its_own_stream(random_samples) -> None:
    """Without audio and vision the answer still depends on the text, and on nothing else."""
    model = build()
    first, second = random_samples(WIDTHS, [(4, 0, 0), (4, 0, 0)])
    with torch.no_grad():
        one, other = model(collate([first, second])).prediction
        full = model(collate(random_samples(WIDTHS, [(4, 3, 3)]))).prediction[0]
    assert not torch.allclose(one, other, atol=1e-3)
    assert not torch.allclose(one, full, atol=1e-3)


def test_gate_is_uniform_over_what_is_present(random_samples) -> None:
    output = build()(collate(random_samples(WIDTHS, [(2, 2, 2), (0, 3, 1), (0, 0, 4)])))
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5], [0, 0, 1]])
    torch.testing.assert_close(output.gate, expected)
    assert output.primary.tolist() == [0, 1, 2]
    assert output.unimodal is None


def test_gradient_reaches_every_parameter(random_samples) -> None:
    model = build().train()
    model(collate(random_samples(WIDTHS, LENGTHS))).prediction.square().sum().backward()
    still = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert still == []


@pytest.mark.parametrize("causal", [False, True])
def test_attention_rows_sum_to_one_over_real_steps(random_samples, causal: bool) -> None:
    model = build(causal=causal)
    batch = collate(random_samples(WIDTHS, [*LENGTHS, (6, 0, 3)]))
    with torch.no_grad():
        plain, detailed = model(batch), model(batch, detail=True)
    torch.testing.assert_close(plain.prediction, detailed.prediction, rtol=1e-5, atol=1e-5)
    assert detailed.attention is not None
    assert len(detailed.attention) == 6 * 2
    for target, source in [("text", "audio"), ("vision", "text"), ("audio", "vision")]:
        weights = detailed.attention[f"{target}<-{source}.1"]
        present = batch.masks[source].any(dim=1)
        assert weights.shape == (5, 5, batch.masks[target].shape[1], batch.masks[source].shape[1])
        assert not weights.masked_select(~batch.masks[source][:, None, None, :]).any()
        rows = weights.sum(dim=3)
        torch.testing.assert_close(rows, present[:, None, None].expand_as(rows).float())


def test_causal_attention_stops_at_the_horizon(random_samples) -> None:
    """Target step i sees source steps up to i plus the difference of the real lengths."""
    batch = collate(random_samples(WIDTHS, [(4, 6, 1), (7, 7, 1)]))
    attention = build(causal=True)(batch, detail=True).attention
    assert attention is not None
    seen = (attention["text<-audio.0"] > 0).all(dim=1)
    assert seen[0, :4].sum(dim=1).tolist() == [3, 4, 5, 6]
    assert seen[1].sum(dim=1).tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_latents_show_the_target_before_and_after(random_samples) -> None:
    batch = collate(random_samples(WIDTHS, LENGTHS))
    latents = build()(batch, detail=True).latents
    assert latents is not None
    assert len(latents) == 6 * 2
    before, after = latents["audio<-text.before"], latents["audio<-text.after"]
    assert before.shape == after.shape == (4, 12, 10)
    # Before the encoder nothing of the source is in the target yet.
    assert torch.equal(before, latents["audio<-vision.before"])
    assert not torch.allclose(after, latents["audio<-vision.after"], atol=1e-3)


# The reference: one sample, no padding, torch's own attention, nothing shared but the weights.


def reference(model: MulT, sample: Sample) -> Tensor:
    names = list(WIDTHS)
    streams = [
        torch.from_numpy(sample.sequences[name]) @ projection.weight[:, :, 0].T
        for name, projection in zip(names, model.projections, strict=True)
    ]
    last_steps = []
    encoders = iter(model.crossmodal)
    for target in range(3):
        sources = [source for source in range(3) if source != target]
        parts = [encode(model, next(encoders), streams[target], streams[s]) for s in sources]
        remembered = encode(model, model.memory[target], torch.cat(parts, dim=1), None)
        last_steps.append(remembered[-1])
    summary = torch.cat(last_steps)
    return model.head(model.residual(model.hidden(summary).relu()) + summary)


def encode(model: MulT, encoder: nn.Module, target: Tensor, source: Tensor | None) -> Tensor:
    x = embed(target)
    memory = None if source is None else embed(source)
    for layer in encoder.layers:
        attention = nn.MultiheadAttention(x.shape[1], model.options.heads, batch_first=True)
        attention.in_proj_weight.copy_(layer.attention.packed.weight)
        attention.in_proj_bias.copy_(layer.attention.packed.bias)
        attention.out_proj.load_state_dict(layer.attention.out.state_dict())
        query = layer.attention_norm(x)
        key = query if memory is None else layer.attention_norm(memory)
        slack = abs(len(query) - len(key))
        hidden = torch.ones(len(query), len(key), dtype=torch.bool).triu(1 + slack)
        mask = hidden if model.options.causal else None
        x = x + attention(query, key, key, attn_mask=mask, need_weights=False)[0]
        x = x + layer.contract(layer.expand(layer.feed_forward_norm(x)).relu())
    return encoder.norm(x)


def embed(stream: Tensor) -> Tensor:
    width = stream.shape[1]
    half = math.ceil(width / 2)
    table = np.zeros((len(stream), 2 * half), dtype=np.float32)
    for step in range(len(stream)):
        for i in range(half):
            angle = step / 10_000 ** (i / half)
            table[step, i], table[step, half + i] = math.sin(angle), math.cos(angle)
    return math.sqrt(width) * stream + torch.from_numpy(table[:, :width])
