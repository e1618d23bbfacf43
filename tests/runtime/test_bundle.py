"""A session refuses what its model cannot read and answers each sample as if it were alone."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.runtime.bundle import Session
from affuse.samples import Sample


@pytest.fixture
def session(bundles) -> Session:
    return Session(bundles / "sentiment")


def sample(session: Session, rng: np.random.Generator, **lengths: int) -> Sample:
    widths = session.config.widths
    features = {
        m: rng.standard_normal((n, widths[m])).astype(np.float32) for m, n in lengths.items()
    }
    return Sample("clip", features)


def test_neighbours_change_nothing(session) -> None:
    rng = np.random.default_rng(0)
    one = sample(session, rng, text=3, vision=20)
    two = sample(session, rng, audio=70)
    together = session.run([one, two])
    for row, alone in enumerate((session.run([one]), session.run([two]))):
        for name in ("prediction", "gate", "primary", "unimodal"):
            np.testing.assert_allclose(
                getattr(together, name)[row], getattr(alone, name)[0], atol=1e-5
            )


def test_what_cannot_be_read_is_refused(session) -> None:
    with pytest.raises(InputError, match="no samples"):
        session.run([])
    with pytest.raises(InputError, match="'clip' has no modality with data; give at least one of"):
        session.run([Sample("clip", {"odour": np.ones((2, 2), np.float32)})])
    with pytest.raises(InputError, match=r"text of width 2, 'sentiment' reads 100; .*glove 100d"):
        session.run([Sample("clip", {"text": np.ones((2, 2), np.float32)})])
    with pytest.raises(InputError, match="not finite"):
        session.run([Sample("clip", {"text": np.full((2, 100), np.nan, np.float32)})])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("model.onnx", b"no graph", "cannot be loaded"),
        ("model.onnx", None, "cannot be loaded"),
        ("config.json", None, "no exported model here; give a folder that affuse export wrote"),
        ("config.json", b"{", "is not JSON"),
        ("config.json", b"{}", "entry 'affuse': field required"),
    ],
)
def test_damaged_folders_are_refused(bundles, tmp_path, name, content, problem) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(bundles / "sentiment", folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=problem):
        Session(folder)


def test_a_checkpoint_for_training_is_told_from_an_exported_one(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"format": 1, "model": "hct_mg"}))
    with pytest.raises(InputError, match="export it first"):
        Session(tmp_path)


def test_a_conflict_that_is_not_told_of_some_modalities_is_told_of_others(session) -> None:
    told = {"slope": 1.0, "offset": 0.0, "auroc": 0.8}
    fitted = {"conflict": {"any": told, "text+audio": told | {"auroc": 0.6, "offset": -1.0}}}
    config = session.config.model_copy(update=fitted)
    assert config.tells_conflict("audio+vision")
    assert not config.tells_conflict("text+audio")
    assert config.calibration("text+audio").offset == -1
    assert config.calibration("text+vision").offset == 0


def test_exports_with_one_map_of_conflict_are_read(session) -> None:
    once = {"slope": 2.0, "offset": -1.0, "auroc": 0.8}
    kept = session.config.model_dump()
    config = type(session.config).model_validate(kept | {"conflict": once})
    assert config.calibration("text+audio").slope == 2
    assert type(session.config).model_validate(kept | {"conflict": None}).conflict == {}
