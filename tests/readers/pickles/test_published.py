"""Which published corpus a file holds is told alike before, after and beyond its reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from affuse.readers.pickles.parts import preset_name
from affuse.readers.registry import load_corpus, resolve
from affuse.readers.stored_write import store_corpus

Maker = Callable[..., Any]


def _assert_named(path: Path, expected: str, folder: Path) -> None:
    entry, found = resolve(str(path))
    assert found == path
    assert entry.preset(path) == expected
    corpus = load_corpus(str(path))
    assert corpus.preset == expected
    store_corpus(corpus, folder)
    stored, _ = resolve(str(folder))
    assert stored.preset(folder) == expected
    assert load_corpus(str(folder)).preset == expected


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("corpus", ["mosi", "mosei", "iemocap"])
def test_mult_files(mult_file: Maker, tmp_path: Path, corpus: str, aligned: bool) -> None:
    _assert_named(mult_file(corpus, aligned).path, f"mult-{corpus}", tmp_path / "stored")


@pytest.mark.parametrize("corpus", ["mosi", "mosei"])
def test_csd_folders(csd_folder: Maker, tmp_path: Path, corpus: str) -> None:
    pytest.importorskip("h5py")
    _assert_named(csd_folder(corpus).write(), f"mult-{corpus}", tmp_path / "stored")


def test_other_widths_are_of_no_known_corpus() -> None:
    widths = {"text": 768, "audio": 33, "vision": 709}
    assert preset_name("mmsa", widths) == "mmsa-sims"
    for other in ({}, {"text": 300}, {"audio": 5}, {**widths, "vision": 20}):
        assert preset_name("mmsa", other) == "mmsa"


def test_what_cannot_be_read_has_the_readers_preset(tmp_path: Path) -> None:
    path = tmp_path / "file.pkl"
    path.write_bytes(b"no pickle")
    entry, _ = resolve(str(path))
    assert entry.preset(path) == entry.name
    (tmp_path / "affuse-corpus.json").write_text("{}")
    assert resolve(str(tmp_path))[0].preset(tmp_path) == "stored"
