"""The reader of .csd files, value by value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.text.glove import Glove
from affuse.readers.csd import CsdOptions, read_csd
from affuse.readers.csd.annotations import EMOTIONS
from affuse.readers.registry import load_corpus, resolve
from affuse.readers.stored_write import store_corpus
from affuse.tasks import BinaryLabels, Regression

pytest.importorskip("h5py")

Maker = Callable[[str], Any]
VIDEOS = {
    "train": ["03bSnISJMiM", "_dI--eQ6qVU"],
    "valid": ["c5xsKMxpXnc"],
    "test": ["V-iFtTbjSDs"],
}


def _file(folder: Any, mark: str) -> str:
    (name,) = (name for name in folder.data if name.endswith(mark))
    return str(name)


def _of(folder: Any, mark: str, video: str) -> tuple[Any, Any]:
    features, intervals = folder.data[_file(folder, mark)][video]
    if features.dtype.kind == "f":
        features = np.where(np.isfinite(features), features, 0)
    return features, intervals


def _inside(folder: Any, mark: str, video: str, segment: Any) -> tuple[Any, Any]:
    features, intervals = _of(folder, mark, video)
    rows = [i for i, (b, e) in enumerate(intervals) if b < segment[1] and e > segment[0]]
    return features[rows], intervals[rows]


def _segments(folder: Any, part: str) -> list[tuple[str, str, Any, Any]]:
    """Name, video, labels and interval of each segment of a part."""
    found = []
    for video, (labels, intervals) in folder.data[_file(folder, "Labels")].items():
        if video in VIDEOS[part]:
            rows = range(len(labels))
            found += [(f"{video}[{row}]", video, labels[row], intervals[row]) for row in rows]
    return sorted(found, key=lambda segment: segment[0])


@pytest.mark.parametrize("corpus", ["mosi", "mosei"])
def test_aligned_to_words(csd_folder: Maker, corpus: str) -> None:
    folder = csd_folder(corpus)
    read = load_corpus(str(folder.write()))
    assert (read.name, read.task) == ("csd", Regression(-3.0, 3.0))
    assert dict(read.widths) == {"text": 300, "audio": 74, "vision": 35}
    roots = {"text": "glove_vectors", "audio": "COVAREP", "vision": "FACET 4.2"}
    assert read.features == roots
    for part, samples in read.folds[0].parts().items():
        segments = _segments(folder, part)
        assert [s.id for s in samples] == [name for name, *_ in segments]
        for sample, (_, video, labels, segment) in zip(samples, segments, strict=True):
            assert sample.group == video
            np.testing.assert_array_equal(sample.target, labels[:1])
            vectors, spoken = _inside(folder, "WordVectors", video, segment)
            np.testing.assert_array_equal(sample.sequences["text"], vectors)
            for modality, mark in (("audio", "COVAREP"), ("vision", "Facet42")):
                frames, intervals = _inside(folder, mark, video, segment)
                means = [
                    frames[[b < end and e > begin for b, e in intervals]].mean(axis=0)
                    for begin, end in spoken
                ]
                np.testing.assert_allclose(sample.sequences[modality], means, atol=1e-6)
            for times in sample.times.values():
                np.testing.assert_allclose(times, spoken[:, 0] - segment[0], atol=1e-6)


def test_not_aligned(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    read = load_corpus(str(folder.write()), options={"align": "none"})
    assert read.name == "csd[align=none]"
    for part, samples in read.folds[0].parts().items():
        for sample, (_, video, _, segment) in zip(samples, _segments(folder, part), strict=True):
            files = {"text": "WordVectors", "audio": "COVAREP", "vision": "Facet42"}
            for modality, mark in files.items():
                features, intervals = _inside(folder, mark, video, segment)
                np.testing.assert_array_equal(sample.sequences[modality], features)
                expected = intervals[:, 0] - segment[0]
                np.testing.assert_allclose(sample.times[modality], expected, atol=1e-6)
            words, _ = _inside(folder, "Words", video, segment)
            assert sample.text == b" ".join(w for w in words[:, 0] if w != b"sp").decode()


def test_the_path_alone_is_recognised(csd_folder: Maker) -> None:
    path = csd_folder("mosi").write()
    assert resolve(str(path))[0].name == "csd"
    assert resolve(str(path / "CMU_MOSI_COVAREP.csd"))[0].name == "csd"
    with pytest.raises(InputError, match="give the folder that holds it"):
        load_corpus(str(path / "CMU_MOSI_COVAREP.csd"))


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [4, 6, 2, 0, 1, 5, 3]])
def test_emotions_are_found_by_the_names_of_their_columns(
    csd_folder: Maker, order: list[int]
) -> None:
    folder = csd_folder("mosei")
    labels = folder.data[_file(folder, "Labels")]
    expected = {video: found for video, (found, _) in labels.items()}
    for video, (found, intervals) in labels.items():
        labels[video] = found[:, order], intervals
    folder.columns = [
        ("Happiness" if folder.columns[i] == "happy" else folder.columns[i]) for i in order
    ]
    path = folder.write()
    emotions = load_corpus(str(path), options={"label": "emotions"})
    assert emotions.task == BinaryLabels(EMOTIONS)
    for corpus, columns in ((emotions, slice(1, None)), (load_corpus(str(path)), slice(1))):
        for sample in corpus.folds[0].train:
            row = expected[sample.group][int(sample.id[-2]), columns]
            wanted = row > 0 if columns.stop is None else row
            np.testing.assert_array_equal(sample.target, wanted)


def test_columns_that_no_one_names_are_not_guessed(csd_folder: Maker) -> None:
    folder = csd_folder("mosei")
    folder.columns = None
    path = folder.write()
    # Sentiment is the only column with negative values.
    sentiment = load_corpus(str(path)).folds[0].train[0].target
    np.testing.assert_array_equal(sentiment, _segments(folder, "train")[0][2][:1])
    with pytest.raises(InputError, match="does not tell which of its 7 columns is happy or sad"):
        load_corpus(str(path), options={"label": "emotions"})
    columns = ["sentiment", "fear", "sad", "anger", "surprise", "disgust", "happy"]
    told = load_corpus(str(path), options={"label": "emotions", "columns": columns})
    first = _segments(folder, "train")[0][2]
    np.testing.assert_array_equal(told.folds[0].train[0].target, first[[6, 2, 3, 4, 5, 1]] > 0)
    with pytest.raises(InputError, match="'columns' names 2 columns of 7"):
        load_corpus(str(path), options={"columns": columns[:2]})
    for found, _ in folder.data[_file(folder, "Labels")].values():
        np.abs(found, out=found)
    with pytest.raises(InputError, match="does not tell which of its 7 columns is sentiment"):
        load_corpus(str(folder.write()))


STANDARD = """# CMU's own
standard_train_fold = ['03bSnISJMiM', '_dI--eQ6qVU',
    'not in these files']
standard_valid_fold = ["c5xsKMxpXnc"]
standard_test_fold=['V-iFtTbjSDs']
import os
os.mkdir("executed")
"""


def test_folds_of_the_sdk_are_read_and_not_run(
    csd_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csd_folder("mosi").write(folds=False)
    monkeypatch.chdir(path)
    (path / "cmu_mosi_std_folds.py").write_text(STANDARD)
    read = load_corpus(str(path))
    assert {part: len(s) for part, s in read.folds[0].parts().items()} == {
        "train": 6,
        "valid": 3,
        "test": 3,
    }
    assert not (path / "executed").exists()


def test_without_folds_it_is_told_what_they_are(csd_folder: Maker, tmp_path: Path) -> None:
    path = csd_folder("mosi").write()
    elsewhere = tmp_path / "mine.json"
    (path / "folds.json").rename(elsewhere)
    with pytest.raises(InputError, match=r"has no folds: which .* choose with folds="):
        load_corpus(str(path))
    read = load_corpus(str(path), options={"folds": str(elsewhere)})
    assert read.options["folds"] == str(elsewhere)
    assert len(read.folds[0].train) == 6
    (path / "folds.json").write_text(elsewhere.read_text())
    (path / "my_std_folds.py").write_text(STANDARD)
    with pytest.raises(InputError, match="has several files of folds"):
        load_corpus(str(path))
    assert load_corpus(str(path), options={"folds": "my_std_folds.py"})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("f.json", "{", "has no list 'train'"),
        ("f.json", "[1]", "has no list 'train'"),
        ("f.json", "[" * 100_000, "has no list 'train'"),
        ("f.json", '{"train": ["a"], "valid": "b", "test": []}', "has no list 'valid'"),
        ("f.json", '{"train": ["a"], "valid": ["b"], "test": [1]}', "has no list 'test'"),
        ("f.json", '{"train": ["a"], "valid": ["a"], "test": []}', "'a' is in 'train' and in 'va"),
        ("f.json", '{"train": ["a"], "valid": ["b"], "test": ["c"]}', "in a video of its 'train'"),
        ("f.py", "standard_train_fold = open('x')", "has no list 'train'"),
        ("f.py", "standard_train_fold = [" + "-" * 100_000 + "1]", "has no list 'train'"),
        ("f.py", "not python", "has no list 'train'"),
        ("absent.json", None, "cannot be read"),
    ],
)
def test_folds_that_are_none_give_one_error(
    csd_folder: Maker, name: str, content: str | None, expected: str
) -> None:
    path = csd_folder("mosi").write()
    if content is not None:
        (path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        load_corpus(str(path), options={"folds": name})
    assert expected in str(caught.value)
    assert name in str(caught.value)


def test_words_without_vectors_get_those_of_affuse(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    del folder.data[_file(folder, "WordVectors")]
    read = load_corpus(str(folder.write()))
    assert (read.widths["text"], read.features["text"]) == (100, Glove().name)
    sample = read.folds[0].train[0]
    assert sample.text is not None
    words = sample.text.split(" ")
    assert len(words) == len(sample.sequences["text"]) == len(sample.sequences["audio"])
    for word, vector in zip(words, sample.sequences["text"], strict=True):
        np.testing.assert_array_equal(vector, Glove().encode([word])[0].features.mean(axis=0))
        assert vector.any() == (word != "qwxzy")


def test_what_a_video_lacks_is_absent(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    first, second = VIDEOS["train"]
    del folder.data[_file(folder, "Facet42")][first]
    frames, intervals = folder.data[_file(folder, "COVAREP")][second]
    # The voice stops before the last segment begins.
    folder.data[_file(folder, "COVAREP")][second] = frames[:300], intervals[:300]
    folder.data[_file(folder, "Words")].pop(second)
    train = {s.id: s for s in load_corpus(str(folder.write())).folds[0].train}
    assert train[f"{first}[0]"].modalities == ("text", "audio")
    assert train[f"{second}[2]"].modalities == ("text", "vision")
    assert train[f"{second}[2]"].text is None
    # Words that no frame overlaps have zeros.
    middle = train[f"{second}[1]"].sequences["audio"]
    assert middle[0].any()
    assert not middle[-1].any()


def test_a_segment_without_anything_is_left_out(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    labels = folder.data[_file(folder, "Labels")]
    found, intervals = labels["c5xsKMxpXnc"]
    labels["c5xsKMxpXnc"] = found, np.where(intervals == intervals[2], 500 + intervals, intervals)
    labels["no fold has it"] = found, intervals
    valid = load_corpus(str(folder.write())).folds[0].valid
    assert [s.id for s in valid] == ["c5xsKMxpXnc[0]", "c5xsKMxpXnc[1]"]


def test_sequences_that_the_sdk_has_aligned(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    whole = load_corpus(str(folder.write())).folds[0]
    ends = {v: intervals for v, (_, intervals) in folder.data[_file(folder, "Labels")].items()}
    for name, videos in folder.data.items():
        cut = {}
        for video, (features, intervals) in videos.items():
            for row, (begin, end) in enumerate(ends[video]):
                inside = (intervals[:, 0] < end) & (intervals[:, 1] > begin)
                rows = np.arange(3) == row if "Labels" in name else inside
                cut[f"{video}[{row}]"] = features[rows], intervals[rows]
        folder.data[name] = cut
    again = load_corpus(str(folder.write())).folds[0]
    for part, samples in whole.parts().items():
        for before, after in zip(samples, again.parts()[part], strict=True):
            assert (after.id, after.group) == (before.id, before.group)
            for modality, sequence in before.sequences.items():
                np.testing.assert_array_equal(after.sequences[modality], sequence)


def test_several_files_for_a_modality_must_be_chosen_from(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    rng = np.random.default_rng(0)
    folder.roots["CMU_MOSI_Visual_OpenFace_2"] = "OpenFace_2"
    folder.data["CMU_MOSI_Visual_OpenFace_2"] = {
        video: (rng.normal(size=(len(intervals), 713)), intervals)
        for video, (_, intervals) in folder.data[_file(folder, "Facet42")].items()
    }
    path = folder.write()
    with pytest.raises(InputError, match="has 2 files for vision; choose with vision=NAME one of"):
        load_corpus(str(path))
    read = load_corpus(str(path), options={"vision": "openface"})
    assert (read.widths["vision"], read.features["vision"]) == (713, "OpenFace_2")
    with pytest.raises(InputError, match="has 0 files for vision named 'iris'"):
        load_corpus(str(path), options={"vision": "iris"})
    with pytest.raises(InputError, match="holds words where vision belongs"):
        load_corpus(str(path), options={"vision": "TimestampedWords"})
    with pytest.raises(InputError, match="holds words, not labels"):
        load_corpus(str(path), options={"vision": "openface", "labels": "TimestampedWords"})


@pytest.mark.parametrize(
    ("kept", "options", "expected"),
    [
        (("COVAREP", "Facet42"), {}, "has no labels among its .csd files"),
        (("Labels",), {}, "has no features among its .csd files"),
        (("Labels", "COVAREP"), {}, "has no words to align to"),
        ((), {}, "is a folder of no known format"),
    ],
)
def test_files_that_are_missing_are_told(
    csd_folder: Maker, kept: tuple[str, ...], options: dict[str, Any], expected: str
) -> None:
    folder = csd_folder("mosi")
    folder.data = {n: data for n, data in folder.data.items() if n.endswith(kept) and kept}
    with pytest.raises(InputError) as caught:
        load_corpus(str(folder.write()), options=options)
    assert expected in str(caught.value)


def test_one_modality_is_enough_without_alignment(csd_folder: Maker) -> None:
    folder = csd_folder("mosi")
    folder.data = {n: d for n, d in folder.data.items() if n.endswith(("Labels", "COVAREP"))}
    read = read_csd(folder.write(), CsdOptions(align="none"))
    assert read.modalities == ("audio",)


def test_is_stored_with_its_times(csd_folder: Maker, tmp_path: Path) -> None:
    read = load_corpus(str(csd_folder("mosei").write()))
    store_corpus(read, tmp_path / "stored")
    again = load_corpus(str(tmp_path / "stored"))
    assert again.fingerprint() == read.fingerprint()
    for before, after in zip(read.folds[0].train, again.folds[0].train, strict=True):
        for modality, times in before.times.items():
            np.testing.assert_array_equal(after.times[modality], times)
