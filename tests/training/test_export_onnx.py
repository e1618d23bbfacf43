"""Exported models: every registered one, every subset, any length; what is stored beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from affuse.batches import Batch, collate
from affuse.config import Options
from affuse.errors import InputError
from affuse.fusion import FusionModel, FusionOutput, create_model, models
from affuse.runtime.bundle import Session, read_config
from affuse.samples import Sample
from affuse.tasks import Classification, Regression, Task
from affuse.training.calibrate import calibrated
from affuse.training.checkpoint import Checkpoint
from affuse.training.export_onnx import PARITY, export_checkpoint
from affuse.training.model_card import figures_of, read_evaluation
from affuse.training.normalise import Normaliser

WIDTHS = {"text": 6, "audio": 5, "vision": 3}
SUBSETS = [kept for size in (1, 2, 3) for kept in combinations(WIDTHS, size)]
SMALL = {
    "width": 8,
    "heads": 2,
    "layers": 1,
    "steps": 9,
    "recurrent_width": 8,
    "recurrent_output": 8,
    "feed_forward": 16,
    "recurrent": 8,
    "memory": 8,
}
STRIDES = {"strides": {"audio": 4, "vision": 2}}
VARIANTS = [
    *((name, {}) for name in sorted(models())),
    ("hct_mg", {**STRIDES, "gate": "agreement"}),
    ("hct_mg", {**STRIDES, "gate": "paper-data"}),
    ("hct_mg", {"granularity": "sample", "members": 2, "static": ("vision",)}),
    ("concat", {**STRIDES, "static": ("text",)}),
    ("unimodal", {**STRIDES, "modality": "audio"}),
    ("mult", {"causal": True}),
    ("concat", {"members": 3}),
    ("lmr_cbt", {"members": 2}),
]
TASK = Classification(("calm", "angry"))


def small(name: str, options: dict) -> dict:
    """The options, and small sizes where the model has such options."""
    known = models()[name].cls.Options.model_fields
    sizes = {k: v for k, v in SMALL.items() if k in known and known[k].annotation is int}
    return {**sizes, **options}


def random_sample(rng: np.random.Generator, lengths: dict[str, int]) -> Sample:
    features = {
        m: (3 * rng.standard_normal((n, WIDTHS[m])) + 1).astype(np.float32)
        for m, n in lengths.items()
    }
    return Sample("clip", features)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports a model whose every part has an effect, once for each variant."""
    made: dict[str, tuple[Checkpoint, Session]] = {}

    def export(name: str, options: dict) -> tuple[Checkpoint, Session]:
        key = repr((name, options))
        if key not in made:
            torch.manual_seed(0)
            model = create_model(name, WIDTHS, TASK.outputs, small(name, options)).eval()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter += 0.1 * torch.randn(parameter.shape)
            rng = np.random.default_rng(1)
            frames = [random_sample(rng, dict.fromkeys(WIDTHS, 50))]
            checkpoint = Checkpoint(name, model, TASK, Normaliser.fit(frames))
            folder = tmp_path_factory.mktemp("export")
            export_checkpoint(checkpoint, folder)
            made[key] = checkpoint, Session(folder)
        return made[key]

    return export


def gap(checkpoint: Checkpoint, session: Session, samples: list[Sample]) -> float:
    """The largest difference between what the graph and the model say."""
    batch = collate(checkpoint.prepare(samples), checkpoint.model.modalities)
    with torch.inference_mode():
        wanted = checkpoint.model(batch)
    found = session.run(samples)
    for name in ("prediction", "gate", "primary", "unimodal"):
        assert (getattr(wanted, name) is None) == (getattr(found, name) is None)
    return max(
        float(np.abs(getattr(found, name) - getattr(wanted, name).numpy()).max())
        for name in session.config.outputs
    )


# Each model as it comes is exported in every run of the suite, its other forms in the longer one.
every_variant = pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            *each, id=f"{each[0]}-{'-'.join(each[1])}", marks=[pytest.mark.slow] * bool(each[1])
        )
        for each in VARIANTS
    ],
)


@every_variant
def test_parity_on_every_subset_and_length(exported, name, options) -> None:
    checkpoint, session = exported(name, options)
    rng = np.random.default_rng(0)
    for kept in SUBSETS:
        if not set(kept) & set(checkpoint.model.modalities):
            continue
        for short, long in ((1, 1), (2, 7), (5, 120)):
            lengths = {m: long if i == len(kept) - 1 else short for i, m in enumerate(kept)}
            assert gap(checkpoint, session, [random_sample(rng, lengths)]) <= PARITY, lengths


@every_variant
def test_parity_at_3000_steps(exported, name, options) -> None:
    checkpoint, session = exported(name, options)
    sample = random_sample(np.random.default_rng(0), {"text": 20, "audio": 3000, "vision": 90})
    assert gap(checkpoint, session, [sample]) <= PARITY


@every_variant
def test_parity_in_a_mixed_batch(exported, name, options) -> None:
    checkpoint, session = exported(name, options)
    rng = np.random.default_rng(0)
    counts = [(3, 9, 1), (0, 4, 0), (12, 1, 30), (1, 2, 3), (0, 17, 5)]
    samples = [
        random_sample(rng, {m: n for m, n in zip(WIDTHS, row, strict=True) if n}) for row in counts
    ]
    samples = [s for s in samples if s.keep(checkpoint.model.modalities).sequences]
    assert gap(checkpoint, session, samples) <= PARITY


def build(name: str = "hct_mg", task: Task = TASK) -> FusionModel:
    torch.manual_seed(0)
    model = create_model(name, WIDTHS, task.outputs, small(name, {}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    return model.eval()


def test_what_is_stored_says_what_the_model_is(tmp_path) -> None:
    features = {m: f"{m} of a test, v1" for m in WIDTHS}
    about = {"name": "ravdess[fold=1]", "features": features, "fingerprint": "f00"}
    checkpoint = Checkpoint("hct_mg", build(), TASK, None, about, {"seed": 3, "history": [{}]})
    config = export_checkpoint(checkpoint, tmp_path / "calmness")
    stored = read_config(tmp_path / "calmness")
    assert stored.model_dump(mode="json") == config.model_dump(mode="json")
    assert (config.name, config.precision, config.conflict) == ("calmness", "float32", {})
    assert config.features == features
    assert config.task["labels"] == ("calm", "angry")
    assert config.training == {"seed": 3}
    assert "CC BY-NC-SA" in config.terms
    card = (tmp_path / "calmness" / "README.md").read_text()
    assert all(text in card for text in (*features.values(), "calm, angry", config.terms, "f00"))
    assert sorted(p.name for p in (tmp_path / "calmness").iterdir()) == [
        "README.md",
        "config.json",
        "model.onnx",
    ]


@pytest.mark.slow
def test_int8_answers_nearly_alike_in_less_space(tmp_path) -> None:
    checkpoint = Checkpoint("hct_mg", build(), TASK, None)
    export_checkpoint(checkpoint, tmp_path / "whole")
    assert export_checkpoint(checkpoint, tmp_path / "small", int8=True).precision == "int8"
    rng = np.random.default_rng(0)
    samples = [random_sample(rng, {"text": 4, "audio": 20, "vision": 9}) for _ in range(40)]
    whole, small = (Session(tmp_path / name).run(samples).prediction for name in ("whole", "small"))
    assert 0 < np.abs(whole - small).max() < 0.1 * whole.std()
    initializers = onnx.load(tmp_path / "small" / "model.onnx").graph.initializer
    assert any(x.data_type == onnx.TensorProto.INT8 for x in initializers)


@pytest.mark.slow
def test_conflict_is_calibrated_on_what_validation_knows(tmp_path) -> None:
    checkpoint = Checkpoint("hct_mg", build(task=Regression()), Regression(), None)
    rng = np.random.default_rng(0)
    odd = ("text", "audio", "vision", None)
    valid = [
        replace(
            random_sample(rng, {"text": 4, "audio": 20, "vision": 9}),
            target=np.float32([rng.uniform(-3, 3)]),
            truth={"conflicting": odd[number % 4]},
        )
        for number in range(60)
    ]
    known = export_checkpoint(checkpoint, tmp_path / "known", valid=valid).conflict
    pairs = {"text+audio", "text+vision", "audio+vision"}
    assert known.keys() == {"any", "text+audio+vision", *pairs}
    assert (known["any"]["samples"], known["any"]["share"]) == (60, 0.75)
    # Of two, one contradicts the other where the odd one is among them.
    assert {known[pair]["share"] for pair in pairs} == {0.5}
    # Where nobody knows which modality it is, each choice of them may hold the conflict.
    somewhere = [replace(s, truth={"conflict": n % 4 == 0}) for n, s in enumerate(valid)]
    told = export_checkpoint(checkpoint, tmp_path / "somewhere", valid=somewhere).conflict
    assert {fitted["share"] for fitted in told.values()} == {0.25}
    unknown = [replace(sample, truth={}) for sample in valid]
    told = export_checkpoint(checkpoint, tmp_path / "told", valid=unknown).conflict
    assert told["any"]["share"] != known["any"]["share"]
    # Nothing to compare: one modality, or no target.
    lone = [sample.keep(["text"]) for sample in valid] + [s.without_target() for s in valid]
    assert export_checkpoint(checkpoint, tmp_path / "lone", valid=lone).conflict == {}


def test_speakers_of_one_clip_are_not_known(tmp_path) -> None:
    training = {"options": {"normalise": "speaker"}}
    checkpoint = Checkpoint("hct_mg", build(), TASK, None, {}, training)
    with pytest.raises(InputError, match="normalised for each speaker"):
        export_checkpoint(checkpoint, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class _Counting(FusionModel):
    """A model whose Python looks at a length, which a trace fixes."""

    Options = Options

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:  # noqa: ARG002
        x = batch.sequences["text"]
        prediction = x[:, :1, : self.outputs].sum(dim=1) * len(x[0])
        return FusionOutput(prediction, *self.even_gate(batch))


def test_a_model_that_a_trace_does_not_hold_is_refused(tmp_path) -> None:
    model = _Counting(WIDTHS, 2, Options()).eval()
    with pytest.raises(InputError, match="the exported counting answers otherwise than the model"):
        export_checkpoint(Checkpoint("counting", model, TASK, None), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("lacking", ["export", "register_custom_op_symbolic", "symbolic_helper"])
def test_a_torch_without_the_tracing_exporter_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "export":
        monkeypatch.setattr(torch.onnx, "export", lambda: None)
    else:
        monkeypatch.delattr(torch.onnx, lacking)
    with pytest.raises(InputError, match=r"no ONNX exporter that traces .*install"):
        export_checkpoint(Checkpoint("hct_mg", build(), TASK, None), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_card_shows_what_was_measured(tmp_path: Path) -> None:
    file = tmp_path / "evaluation.json"
    figures = {"mae": 0.5, "corr": 0.8}
    found = {"corpus": "a corpus", "trivial": {"mae": 1.0, "corr": 0.0}, "metrics": figures}
    file.write_text(json.dumps(found | {"subsets": {"text": {"mae": 0.7, "corr": 0.6}}}))
    assert "| text | 0.700 | 0.600 |" in figures_of(read_evaluation(file))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"metrics": 3}'])
def test_another_file_than_an_evaluation_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(content)
    with pytest.raises(InputError, match="affuse evaluate"):
        read_evaluation(file)


@pytest.mark.slow
def test_certainty_is_fitted_by_what_is_there(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def drawn(target: float) -> Sample:
        sequences = {
            m: rng.standard_normal((3, width)).astype(np.float32) for m, width in WIDTHS.items()
        }
        return Sample(str(rng.random()), sequences, np.array([target], np.float32))

    torch.manual_seed(0)
    for task, field in ((TASK, "temperature"), (Regression(-3, 3), "interval")):
        model = create_model("hct_mg", WIDTHS, task.outputs, small("hct_mg", {})).eval()
        checkpoint = Checkpoint("hct_mg", model, task, None)
        valid = [drawn(float(rng.integers(2))) for _ in range(60)]
        folder = tmp_path / field
        export_checkpoint(checkpoint, folder, valid=valid, terms="made for a test")
        config = read_config(folder)
        found = getattr(config, field)
        assert set(found) == {"+".join(kept) for kept in SUBSETS}
        if field == "interval":
            session = Session(folder)
            said = session.task.decode(session.run(valid).prediction)[:, 0]
            apart = np.abs(said - [s.target[0] for s in valid])
            held = (apart <= found["text+audio+vision"]).mean()
            assert 0.8 <= held <= 0.85
            _held_against_what_people_told(session, valid, found)


def _held_against_what_people_told(
    session: Session, valid: list[Sample], by_clip: dict[str, float]
) -> None:
    """An interval of one modality, where people told what it says by itself."""
    far = {m: np.float32([2.5]) for m in session.modalities}
    told = calibrated(session, [replace(s, unimodal=far) for s in valid])["interval"]
    assert all(told[m] > by_clip[m] for m in session.modalities)
    assert told["text+audio"] == by_clip["text+audio"]
    knows = {"told_alone": ["text"]}
    generated = [replace(s, unimodal=far, truth=knows) for s in valid]
    known = calibrated(session, generated)["interval"]
    assert (known["text"], known["audio"]) == (told["text"], by_clip["audio"])
    unknown = [replace(s, unimodal={"text": np.float32([np.nan])}) for s in valid]
    assert calibrated(session, unknown)["interval"] == by_clip
