"""Evaluation and explanation on a device where the host cannot look."""

from __future__ import annotations

import pytest
import torch
from elsewhere import DEVICE, Elsewhere

from affuse.evaluation.held_out import open_test
from affuse.files import to_strict_json
from affuse.fusion import create_model
from affuse.incongruity import latent, probes
from affuse.incongruity.explanation import Explanation, explain
from affuse.readers import load_corpus
from affuse.samples import Corpus
from affuse.training.checkpoint import Checkpoint

pytestmark = pytest.mark.slow
NAME = str(DEVICE)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus("controlled", options={"train": 24, "valid": 12, "test": 8})


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has `DEVICE`, and little to do."""
    monkeypatch.setattr("affuse.training.devices.devices", lambda: [NAME, "cpu"])
    # Inference mode is not for tensors of a class of their own.
    modes = {True: torch.no_grad, False: torch.enable_grad}
    monkeypatch.setattr(torch, "inference_mode", lambda mode=True: modes[mode]())
    monkeypatch.setattr(probes, "_STEPS", 4)
    monkeypatch.setattr(latent, "LEAST_SAMPLES", 5)


def untrained(corpus: Corpus, name: str) -> Checkpoint:
    torch.manual_seed(0)
    small = {"width": 8, "heads": 2} | ({"layers": 1} if name == "mult" else {"members": 1})
    model = create_model(name, corpus.widths, 1, small).eval()
    return Checkpoint(name, model, corpus.task, None)


def told(found: Explanation) -> str:
    """All that is told, without what floats differ by."""
    return to_strict_json(_rounded(found.to_dict()))


def _rounded(value: object) -> object:
    """Without what probes of a block tell: their noise depends on how its streams were padded."""
    if isinstance(value, float):
        return f"{value:.2g}" if abs(value) > 1e-3 else "0"
    if isinstance(value, dict):
        return {key: _rounded(v) for key, v in value.items() if key != "refitted"}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value


def test_an_explanation_is_the_same_there(corpus) -> None:
    model, other = untrained(corpus, "hct_mg"), untrained(corpus, "mult")
    here = explain(model, corpus, against=other, device="cpu")
    with Elsewhere():
        far = explain(model, corpus, against=other, device=NAME)
    assert told(here) == told(far)
    assert {p.device.type for c in (model, other) for p in c.model.parameters()} == {"cpu"}


@pytest.mark.parametrize("name", ["hct_mg", "mult"])
def test_a_test_part_is_answered_the_same_there(corpus, name) -> None:
    checkpoint = untrained(corpus, name)
    lacking = [s.keep(["text", "audio"][: 1 + n % 2]) for n, s in enumerate(corpus.folds[0].test)]
    here = open_test(checkpoint, lacking, subsets=True, device="cpu")
    with Elsewhere():
        far = open_test(checkpoint, lacking, subsets=True)
    assert _rounded(here) == _rounded(far)
