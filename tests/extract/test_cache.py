"""The cache: computes once, survives damage and folders that cannot be written."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from affuse.extract.cache import Arrays, FeatureCache, cache_key, pack, unpack


class Counter:
    """A computation that counts how often it runs."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> Arrays:
        self.runs += 1
        return {"steps": np.arange(6, dtype=np.float32).reshape(3, 2), "lengths": np.array([1, 2])}


def test_computes_once_and_returns_the_same(tmp_path: Path) -> None:
    compute = Counter()
    first = FeatureCache(tmp_path).arrays("key", compute)
    second = FeatureCache(tmp_path).arrays("key", compute)
    assert compute.runs == 1
    assert "key" in FeatureCache(tmp_path)
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array)
        assert second[name].dtype == array.dtype
    assert [file.name for file in tmp_path.iterdir()] == ["key.npz"]


def test_a_damaged_file_is_computed_anew_and_mended(tmp_path: Path) -> None:
    compute = Counter()
    cache = FeatureCache(tmp_path)
    expected = cache.arrays("key", compute)
    path = tmp_path / "key.npz"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 0xFF
    damages = [b"", b"nonsense", whole[: len(whole) // 2], bytes(flipped)]
    for runs, damage in enumerate(damages, start=2):
        path.write_bytes(damage)
        np.testing.assert_array_equal(cache.arrays("key", compute)["steps"], expected["steps"])
        assert compute.runs == runs
        assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    cache = FeatureCache(tmp_path / "file" / "cache")
    compute = Counter()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert set(cache.arrays("key", compute)) == {"steps", "lengths"}
    assert compute.runs == 2
    assert len(caplog.records) == 1
    assert str(cache.folder) in caplog.text


def test_a_failed_computation_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Arrays:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        FeatureCache(tmp_path).arrays("key", fail)
    assert not list(tmp_path.iterdir())


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "there"))
    assert FeatureCache().folder == tmp_path / "there"
    assert FeatureCache(tmp_path).folder == tmp_path
    monkeypatch.delenv("AFFUSE_CACHE")
    assert FeatureCache().folder.name == "affuse"


def test_a_key_depends_on_extractor_contents_and_their_bounds() -> None:
    keys = {
        cache_key("a v1", [b"xy", b"z"]),
        cache_key("a v2", [b"xy", b"z"]),
        cache_key("a v1", [b"x", b"yz"]),
        cache_key("a v1", [b"z", b"xy"]),
        cache_key("a v1", []),
    }
    assert len(keys) == 5
    assert cache_key("a v1", [b"xy", b"z"]) in keys
    assert all(key.startswith("a-v") and "/" not in key and " " not in key for key in keys)


def test_pack_and_unpack_are_inverse() -> None:
    rng = np.random.default_rng(0)
    sequences = [rng.normal(size=(n, 4)).astype(np.float32) for n in (1, 7, 3)]
    restored = unpack(pack(sequences))
    assert len(restored) == 3
    for before, after in zip(sequences, restored, strict=True):
        np.testing.assert_array_equal(before, after)
