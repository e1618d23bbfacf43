"""Training that begins with the weights of another checkpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from affuse.errors import InputError
from affuse.fusion import FusionModel, create_model, models
from affuse.samples import MADE_OF, Corpus
from affuse.training.checkpoint import CONFIG, load_checkpoint, weights_digest
from affuse.training.export_onnx import export_checkpoint
from affuse.training.model_card import origins, terms_of
from affuse.training.presets import Plan
from affuse.training.session import identity, require_trainable, train_run
from affuse.training.transfer import begin_with, read_origin

WIDTHS = {"text": 6, "audio": 5}
SMALL = {"width": 8, "heads": 2}


def build(name: str, seed: int, *, widths=WIDTHS, outputs: int = 1, **options) -> FusionModel:
    torch.manual_seed(seed)
    return create_model(name, widths, outputs, options)


def weights(module: nn.Module) -> list[Tensor]:
    return list(module.parameters())


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, weights(one), weights(other)))


@pytest.mark.parametrize("name", sorted(models()))
def test_of_its_own_kind_a_model_takes_all(name: str) -> None:
    model, donor = build(name, 0), build(name, 1)
    assert not equal(model, donor)
    assert begin_with(model, donor) == sum(p.numel() for p in weights(model))
    assert equal(model, donor)


def test_a_single_modality_gives_its_encoder_and_head_to_every_member() -> None:
    donor = build("unimodal:text", 1, **SMALL)
    model, before = (build("hct_mg", 0, members=2, **SMALL) for _ in range(2))
    taken = begin_with(model, donor)
    assert taken == 2 * sum(p.numel() for p in weights(donor))
    for member, old in zip(model.members, before.members, strict=True):
        new, as_before = member.network, old.network
        assert equal(new.encoders["text"], donor.encoder)
        assert equal(new.heads["text"], donor.head)
        assert equal(new.encoders["audio"], as_before.encoders["audio"])
        assert equal(new.joint, as_before.joint)


def test_modalities_are_told_by_name() -> None:
    donor = build("hct_mg", 1, **SMALL)
    model = build("hct_mg", 0, widths=dict(reversed(WIDTHS.items())), **SMALL)
    begin_with(model, donor)
    for modality in WIDTHS:
        assert equal(model.network.encoders[modality], donor.network.encoders[modality])
    # Alike in shape, but of another modality.
    other = build("unimodal:audio", 0, widths={"audio": WIDTHS["text"]}, **SMALL)
    assert begin_with(other, build("unimodal:text", 1, **SMALL)) == 0


def test_members_are_dealt_out_in_turn() -> None:
    donor = build("hct_mg", 1, members=2, **SMALL)
    model = build("hct_mg", 0, members=3, **SMALL)
    begin_with(model, donor)
    for member, source in zip(model.members, (0, 1, 0), strict=True):
        given = donor.members[source].network
        assert equal(member.network.encoders["audio"], given.encoders["audio"])
    single = build("concat", 0, **SMALL)
    begin_with(single, donor)
    assert equal(single.encoders["audio"], donor.members[0].network.encoders["audio"])


def test_what_was_learnt_on_validation_stays_behind() -> None:
    donor, model = build("hct_mg", 1, **SMALL), build("hct_mg", 0, **SMALL)
    donor.trust(0.25)
    donor.track(torch.tensor([0.1, 0.9]))
    begin_with(model, donor)
    fresh = build("hct_mg", 0, **SMALL)
    assert all(map(torch.equal, model.buffers(), fresh.buffers()))


def test_another_task_gets_last_layers_of_its_own() -> None:
    donor = build("hct_mg", 1, **SMALL)
    model, before = (build("hct_mg", 0, outputs=4, **SMALL) for _ in range(2))
    begin_with(model, donor)
    new, given, old = model.network, donor.network, before.network
    for part in ("encoders", "levels", "joint", "pooling"):
        assert equal(getattr(new, part), getattr(given, part))
    assert equal(new.heads["text"][0], given.heads["text"][0])
    assert equal(new.heads["text"][-1], old.heads["text"][-1])
    assert equal(new.correction[-1], old.correction[-1])


@pytest.fixture(scope="module")
def other(corpus: Corpus) -> Corpus:
    """The same clips by another name: what a corpus is called tells what may have been seen."""
    return replace(corpus, name="elsewhere")


@pytest.fixture(scope="module")
def origin(other, small_plan: Callable[..., Plan], tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("origin") / "run"
    train_run(other, small_plan("unimodal:text", epochs=1), seed=0, folder=folder)
    return folder


def test_training_begins_there_and_says_so(corpus, small_plan, origin, tmp_path: Path) -> None:
    planned = small_plan("unimodal:text", epochs=1, init=str(origin), learning_rate=1e-9)
    made = train_run(corpus, planned, seed=5, folder=tmp_path / "run")
    donor = load_checkpoint(origin)
    for new, old in zip(weights(made.model), weights(donor.model), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-5, atol=1e-5)
    assert made.training["init"] == {
        "model": "unimodal",
        "corpus": {"name": "elsewhere", "fingerprint": corpus.fingerprint(), "fold": 0},
        "weights": weights_digest(origin),
        "parameters": sum(p.numel() for p in weights(donor.model)),
    }
    # Where it lies is nobody's business.
    assert str(origin) not in (tmp_path / "run" / CONFIG).read_text()
    again = replace(corpus, name="further")
    planned = small_plan("concat", epochs=1, init=str(tmp_path / "run"))
    later = train_run(again, planned, seed=0, folder=tmp_path / "again")
    assert [o["corpus"]["name"] for o in origins(later.training)] == [corpus.name, "elsewhere"]


def test_a_run_is_told_by_the_weights_it_began_with(corpus, small_plan, origin, tmp_path) -> None:
    def of(folder: Path) -> dict:
        return identity(corpus, small_plan("concat", init=str(folder)), seed=0, fold=0)

    assert of(origin) == of(shutil.copytree(origin, tmp_path / "moved"))
    changed = shutil.copytree(origin, tmp_path / "changed")
    content = bytearray((changed / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (changed / "model.safetensors").write_bytes(content)
    assert of(origin) != of(changed)


def test_modalities_that_it_does_not_read_begin_as_ever(corpus, small_plan, origin) -> None:
    require_trainable(corpus, small_plan("unimodal:audio", init=str(origin)))


def test_what_may_have_seen_the_test_part_is_refused(corpus, other, origin) -> None:
    model = build("unimodal:text", 0, widths=corpus.widths, width=16, heads=2)
    assert read_origin(origin, model, other, 0).parameters
    with pytest.raises(InputError, match=r"trained on elsewhere, which may hold test samples"):
        read_origin(origin, model, other, 1)
    grown = replace(other, name="elsewhere[train=41]", folds=other.folds[:1] * 2)
    with pytest.raises(InputError, match=r"test samples of elsewhere\[train=41\]"):
        read_origin(origin, model, grown, 0)


def test_the_same_fold_may_go_on_whichever_it_is(other, small_plan, tmp_path: Path) -> None:
    folds = replace(other, folds=other.folds * 2)
    single = small_plan("unimodal:text", epochs=1)
    train_run(folds, single, seed=0, fold=1, folder=tmp_path / "first")
    planned = small_plan("unimodal:text", epochs=1, init=str(tmp_path / "first"))
    made = train_run(folds, planned, seed=0, fold=1, folder=tmp_path / "second")
    assert made.training["init"]["corpus"]["fold"] == 1
    with pytest.raises(InputError, match="may hold test samples"):
        train_run(folds, planned, seed=0, fold=0, folder=tmp_path / "third")


@pytest.mark.parametrize(
    ("model", "settings", "problem"),
    [
        ("mult", {}, "nothing of its unimodal fits the model"),
        ("unimodal:text", {"width": 24}, "begin with a model of the same kind and width"),
        ("concat", {"init": "nowhere"}, "nowhere: no checkpoint here; .* shipped"),
    ],
)
def test_what_does_not_fit_is_refused(
    corpus, small_plan, origin, model: str, settings: dict, problem: str
) -> None:
    planned = small_plan(model, **{"init": str(origin), **settings})
    with pytest.raises(InputError, match=problem):
        require_trainable(corpus, planned)


def test_other_features_are_refused(corpus, small_plan, origin) -> None:
    planned = small_plan("concat", init=str(origin))
    renamed = replace(corpus, features={**corpus.features, "text": "another reading"})
    with pytest.raises(InputError, match=r"reads text as .* has another reading of width 16"):
        require_trainable(renamed, planned)


def test_terms_of_all_data_bind() -> None:
    first = {"model": "unimodal", "corpus": {"name": "rated[layers=6]"}, "parameters": 1}
    second = {"model": "concat", "corpus": {"name": "ravdess"}, "parameters": 1, "init": first}
    training = {"init": second}
    assert origins(training) == [second, first]
    terms = terms_of({"name": "mosi[split=bc]"}, training)
    assert [word in terms for word in ("CMU-MOSI", "RAVDESS", "MIT licence")] == [True] * 3
    assert terms_of({"name": "rated"}, {"init": first}).count("MIT") == 1


def test_a_foreign_origin_is_refused(origin, tmp_path: Path) -> None:
    copy = shutil.copytree(origin, tmp_path / "copy")
    config = json.loads((copy / CONFIG).read_text())
    config["training"]["init"] = {"corpus": "mosi"}
    (copy / CONFIG).write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"entry 'training\.init\.model': field required"):
        load_checkpoint(copy)


def test_an_exported_model_with_its_weights_is_begun_with(
    corpus, small_plan, origin, tmp_path: Path
) -> None:
    donor = load_checkpoint(origin)
    export_checkpoint(donor, tmp_path / "exported", weights=True)
    planned = small_plan("unimodal:text", epochs=1, init=str(tmp_path / "exported"))
    begun = require_trainable(corpus, planned)
    assert begun is not None
    assert begun.parameters == sum(p.numel() for p in weights(donor.model))
    for new, old in zip(weights(begun.checkpoint.model), weights(donor.model), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-3, atol=1e-4)
    export_checkpoint(donor, tmp_path / "plain")
    with pytest.raises(InputError, match="plain: no checkpoint here"):
        identity(corpus, small_plan("concat", init=str(tmp_path / "plain")), seed=0, fold=0)


def test_the_checkpoint_that_comes_along_is_chosen_by_what_it_reads(
    corpus, small_plan, origin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    donor = load_checkpoint(origin)
    features = {"text": "words as numbers"}
    known = replace(donor, corpus={**donor.corpus, "features": features})
    export_checkpoint(known, tmp_path / "sentiment", weights=True)
    monkeypatch.setattr("affuse.runtime.checkpoints.SHIPPED", tmp_path)
    planned = small_plan("unimodal:text", epochs=1, init="shipped")
    alike = replace(corpus, features=features)
    begun = require_trainable(alike, planned)
    assert begun is not None
    assert begun.parameters == sum(p.numel() for p in weights(donor.model))
    assert identity(alike, planned, seed=0, fold=0)["train"]["init"]
    named = small_plan("unimodal:text", epochs=1, init="sentiment")
    assert require_trainable(alike, named) is not None
    # Other features, and a model of which nothing fits, begin as ever.
    assert require_trainable(replace(corpus, features={"text": "others"}), planned) is None
    wider = require_trainable(alike, small_plan("mult", epochs=1, init="shipped"))
    assert wider is not None
    assert wider.parameters == 0


def test_what_learnt_from_a_corpus_made_of_this_one_is_refused(
    corpus, small_plan, other, tmp_path: Path
) -> None:
    made = replace(other, options={**other.options, MADE_OF: [corpus.name.partition("[")[0]]})
    train_run(made, small_plan("unimodal:text", epochs=1), seed=0, folder=tmp_path / "run")
    (fold,) = corpus.folds
    fewer = replace(corpus, folds=(replace(fold, train=fold.train[1:]),))
    with pytest.raises(InputError, match="which is made of controlled among others"):
        require_trainable(fewer, small_plan("unimodal:text", init=str(tmp_path / "run")))
