"""An explanation of a small trained model, its JSON, its summary and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from affuse.errors import InputError
from affuse.files import to_strict_json
from affuse.incongruity import latent, probes
from affuse.incongruity.explanation import Explanation, explain
from affuse.readers import load_corpus
from affuse.report.explanation_page import SECTIONS, explanation_page
from affuse.report.sentences import summary_sentences
from affuse.samples import Corpus
from affuse.training.checkpoint import Checkpoint
from affuse.training.presets import plan
from affuse.training.session import train_run

SETTINGS = {"train": 60, "valid": 30, "test": 30, "incongruent": 0.3}
SMALL = {**SETTINGS, "width": 8, "heads": 2, "layers": 1, "epochs": 1, "members": 1}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus("controlled", options=SETTINGS)


def trained(corpus: Corpus, model: str, folder: Path) -> Checkpoint:
    return train_run(corpus, plan("controlled", model, SMALL), seed=0, folder=folder / model)


@pytest.fixture(scope="module")
def found(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    """HCT-MG beside MulT."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "_STEPS", 20)
        patch.setattr(latent, "LEAST_SAMPLES", 10)
        return explain(
            trained(corpus, "hct_mg", folder),
            corpus,
            against=trained(corpus, "mult", folder),
            samples=["test/3", "test/5"],
        )


def test_every_part_is_there(found: Explanation) -> None:
    assert found.against is not None
    assert (found.model.name, found.against.name, found.samples) == ("hct_mg", "mult", 30)
    assert found.model.gate is not None
    assert found.against.gate is None
    assert sum(found.model.gate.led.values()) == 30
    assert sum(found.model.gate.mean.values()) == pytest.approx(1, abs=1e-5)
    assert found.model.latent is not None
    assert found.against.latent is not None
    assert (len(found.model.latent.blocks), len(found.against.latent.blocks)) == (2, 6)
    assert found.truth is not None
    assert [case.id for case in found.cases] == ["test/3", "test/5"]
    assert len(found.conflicts) == len(found.labels) == len(found.answers) == 30


def test_attention_maps_are_named_by_seconds(found: Explanation, corpus: Corpus) -> None:
    sample = next(s for s in corpus.folds[0].test if s.id == "test/3")
    for shown in found.cases[0].maps:
        assert shown.weights.shape == (len(shown.target_steps), len(shown.source_steps))
        assert shown.weights.sum(axis=1) == pytest.approx(1, abs=1e-4)
        assert shown.source_steps[0] == f"{sample.times[shown.source][0]:.1f} s"


def test_json_tells_the_area_under_the_curve(found: Explanation) -> None:
    content = json.loads(to_strict_json(found.to_dict()))
    assert found.truth is not None
    assert content["conflict_auroc"] == pytest.approx(found.truth.auroc)
    assert [model["name"] for model in content["models"]] == ["hct_mg", "mult"]
    assert len(content["conflicts"]) == 30


def test_the_summary_says_the_figures(found: Explanation) -> None:
    text = " ".join(summary_sentences(found))
    assert found.model.gate is not None
    first = max(found.model.gate.mean, key=found.model.gate.mean.__getitem__)
    assert f"hct_mg trusts {first} most, with a mean weight of" in text
    assert f"{found.model.scores['all']['mae']:.3f}" in text
    assert "mult has no gate" not in text
    assert "nan" not in text


class _Tags(HTMLParser):
    """Unclosed and unopened tags, and what is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids.add(found.get("id") or "")
        self.links += [v for k in ("src", "href") if (v := found.get(k))]
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v for k, v in attrs if k in ("src", "href") and v]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone(found: Explanation) -> None:
    text = explanation_page(found)
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert {key for key, *_ in SECTIONS} <= tags.ids
    assert all(link.startswith(("data:image/png", "#")) for link in tags.links)
    assert all(link[1:] in tags.ids for link in tags.links if link.startswith("#"))
    assert "http" not in text
    assert len(text) < 5_000_000
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) > 10
    for drawing in drawings:
        assert ElementTree.fromstring(drawing).get("aria-label")
        assert "nan" not in re.sub('base64,[^"]*', "", drawing)


def test_text_from_a_corpus_cannot_become_markup(found: Explanation) -> None:
    bad = replace(found, corpus="<script>alert(1)</script>")
    bad = replace(bad, cases=(replace(found.cases[0], text="<img src=x>", why="&"),))
    text = explanation_page(bad)
    assert "<img src=x>" not in text
    assert "<script>alert" not in text


@pytest.mark.usefixtures("quick_probes")
def test_a_model_without_gate_or_blocks(corpus: Corpus, tmp_path: Path) -> None:
    steps: list[Any] = []
    found = explain(
        trained(corpus, "concat", tmp_path), corpus, on_step=lambda *step: steps.append(step)
    )
    assert found.model.gate is None
    assert found.model.latent is None
    assert steps[-1][0] == steps[-1][1]
    assert 1 <= len(found.cases) <= 3
    text = explanation_page(found)
    assert "concat has no gate" in text


def test_refuses_an_unknown_sample(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown sample 'test/33'; did you mean 'test/"):
        explain(trained(corpus, "concat", tmp_path), corpus, samples=["test/33"])


def test_refuses_a_part_without_labels(corpus: Corpus, tmp_path: Path) -> None:
    checkpoint = trained(corpus, "concat", tmp_path)
    (fold,) = corpus.folds
    bare = replace(fold, test=[s.without_target() for s in fold.test])
    with pytest.raises(InputError, match="the test part has no labels"):
        explain(checkpoint, replace(corpus, folds=(bare,)))
