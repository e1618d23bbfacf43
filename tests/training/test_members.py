"""Members learn side by side, each as if it were alone; and those of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from affuse.batches import collate
from affuse.errors import InputError
from affuse.fusion import FusionModel, FusionOutput, create_model, members_of
from affuse.samples import Corpus
from affuse.training.checkpoint import CONFIG, WEIGHTS, Checkpoint, load_checkpoint
from affuse.training.fit import fit
from affuse.training.module import FusionModule
from affuse.training.normalise import normalise
from affuse.training.own_answers import lead_of
from affuse.training.presets import TrainOptions
from affuse.training.whole_batch import Said

STILL = {"dropout": 0.0, "input_dropout": 0.0, "width": 8, "heads": 2}


def trained(corpus: Corpus, folder: Path, members: int, **options: Any) -> FusionModel:
    """Of the last epoch, of a model that hides nothing from itself."""
    visible, _ = normalise(corpus.folds[0], "train")

    def build() -> FusionModel:
        return create_model("concat", corpus.widths, 1, {**STILL, "members": members})

    chosen = TrainOptions(**{"epochs": 2, "batch_size": 8, "select": "last", **options})
    train, valid = visible.train[:16], visible.valid[:8]
    return fit(build, corpus.task, train, valid, chosen, seed=0, folder=folder).model


@pytest.mark.parametrize("clip", [1.0, 0.01])
def test_a_member_learns_as_if_it_were_alone(corpus: Corpus, tmp_path: Path, clip: float) -> None:
    """Its loss and its gradient norm are its own: what others do is nothing to it."""
    alone = trained(corpus, tmp_path / "alone", 1, clip=clip)
    first, *_ = members_of(trained(corpus, tmp_path / "together", 3, clip=clip))
    for ours, theirs in zip(first.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_trust_is_fitted_where_members_follow_different_primaries(told, corpus: Corpus) -> None:
    def said(primary: int, own: list[float], correction: float) -> FusionOutput:
        lead, added = torch.tensor([[own[primary]]] * 4), torch.full((4, 1), correction)
        gate, first = torch.tensor([[0.5, 0.5]] * 4), torch.full((4,), primary)
        unimodal = torch.tensor([[[v] for v in own]] * 4)
        return FusionOutput(lead + added, gate, first, unimodal, None, added)

    members = said(0, [1.0, 9.0], 2.0), said(1, [9.0, 3.0], 0.0)
    whole = members[0]._replace(
        prediction=torch.full((4, 1), 3.0),
        unimodal=torch.tensor([[[5.0], [6.0]]] * 4),
        correction=torch.full((4, 1), 1.0),
        members=members,
    )
    model = told({"text": 2, "audio": 2}, 1, whole)
    module = FusionModule(model, corpus.task, TrainOptions(average=0), 1, seed=0)
    # Their primaries say 1 and 3, so 2 together; half of the correction of 1 is right.
    target = torch.full((4, 1), 2.5)
    said = Said(
        *(whole.prediction, whole.gate, target, whole.unimodal, whole.correction), lead_of(whole)
    )
    prediction = module._trust(said)
    assert model.shares == [pytest.approx(0.5)]
    torch.testing.assert_close(prediction, torch.full((4, 1), 2.5))


def older(checkpoint: Checkpoint, folder: Path) -> Path:
    """The checkpoint as a version wrote it in which hct_mg kept its members itself."""
    checkpoint.save(folder)
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    found = {}
    for key, value in tensors.items():
        name = key.removeprefix("model.")
        name = name if name.startswith("members.") else f"members.0.{name}"
        number, _, inner = name.removeprefix("members.").partition(".")
        if inner.startswith("network."):
            found[f"model.members.{number}.{inner.removeprefix('network.')}"] = value
        else:
            found[f"model.{inner}"] = value.clone()
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(found))
    return folder


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("gate", ["contribution", "paper", "fixed:audio"])
def test_older_checkpoints_answer_as_before(
    corpus: Corpus, tmp_path: Path, members: int, gate: str
) -> None:
    torch.manual_seed(0)
    options = {"width": 8, "heads": 2, "gate": gate, "members": members}
    model = create_model("hct_mg", corpus.widths, 1, options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
        for network in members_of(model):
            for name, value in members_of(model)[0].gate.state_dict().items():
                network.gate.state_dict()[name].copy_(value)
    model.track(torch.tensor([0.5, 0.1, 0.2]))
    model.trust(0.35)
    batch = collate(corpus.folds[0].test[:5], model.modalities)
    loaded = load_checkpoint(older(Checkpoint("hct_mg", model, corpus.task, None), tmp_path))
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(batch).prediction, model(batch).prediction)


@pytest.mark.parametrize("members", [1, 2])
def test_an_agreement_gate_that_knew_no_opposites_answers_as_before(
    corpus: Corpus, tmp_path: Path, members: int
) -> None:
    torch.manual_seed(0)
    options = {"width": 8, "heads": 2, "gate": "agreement", "members": members}
    model = create_model("hct_mg", corpus.widths, 1, options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
        for network in members_of(model):
            network.gate.compare[0].weight[:, 5:] = 0
    Checkpoint("hct_mg", model, corpus.task, None).save(tmp_path)
    tensors = safetensors.torch.load_file(tmp_path / WEIGHTS)
    narrow = [key for key in tensors if key.endswith("gate.compare.0.weight")]
    assert len(narrow) == members
    older = tensors | {key: tensors[key][:, :5].contiguous() for key in narrow}
    (tmp_path / WEIGHTS).write_bytes(safetensors.torch.save(older))
    batch = collate(corpus.folds[0].test[:5], model.modalities)
    with torch.no_grad():
        loaded = load_checkpoint(tmp_path).model(batch).prediction
        torch.testing.assert_close(loaded, model(batch).prediction)
    for damaged in (tensors[narrow[0]][:, :3].contiguous(), tensors[narrow[0]].flatten()):
        (tmp_path / WEIGHTS).write_bytes(safetensors.torch.save(tensors | {narrow[0]: damaged}))
        with pytest.raises(InputError, match="weights do not fit the config"):
            load_checkpoint(tmp_path)


def test_an_older_gate_that_members_shared_by_sample_is_refused(
    corpus: Corpus, tmp_path: Path
) -> None:
    options = {"width": 8, "heads": 2, "granularity": "sample", "members": 2}
    model = create_model("hct_mg", corpus.widths, 1, options)
    folder = older(Checkpoint("hct_mg", model, corpus.task, None), tmp_path)
    with pytest.raises(InputError, match=r"shared one gate by sample .* train it again"):
        load_checkpoint(folder)
    config = json.loads((folder / CONFIG).read_text())
    config["options"]["granularity"] = "task"
    (folder / CONFIG).write_text(json.dumps(config))
    load_checkpoint(folder)
