"""RAVDESS: joining sound, face and text, and folds without shared actors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import wavfile

from affuse.errors import InputError
from affuse.extract.voice.descriptors import read_audio
from affuse.readers.ravdess import EMOTIONS, STATEMENTS, actor_folds, speech_clips
from affuse.readers.registry import load_corpus
from affuse.samples import Corpus, Sample
from affuse.tasks import Classification

ACTORS = ("01", "02", "03", "04")


def real_clips(shared_data: Path) -> list[Path]:
    """Four clips of each of four actors: every other emotion, both sentences."""
    names = [
        f"03-01-{emotion:02d}-01-{1 + emotion // 2 % 2:02d}-01-{actor}.flac"
        for actor in ACTORS
        for emotion in range(1, 9, 2)
    ]
    return [shared_data / "ravdess" / "audio" / name for name in names]


def write_faces(folder: Path, ids: np.ndarray, units: np.ndarray) -> None:
    np.savez(folder / "au_mfcc.npz", ids=ids, au=units)


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small part of the corpus, its cache beside it."""
    root = tmp_path_factory.mktemp("ravdess")
    (root / "audio").mkdir()
    for clip in real_clips(shared_data):
        shutil.copy(clip, root / "audio")
    shutil.copy(shared_data / "ravdess" / "au_mfcc.npz", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFUSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield root


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "ravdess"))


def read(path: Path, **options: Any) -> Corpus:
    return load_corpus("ravdess", path, {"text": "glove", **options})


def by_id(corpus: Corpus) -> dict[str, Sample]:
    return {s.id: s for part in corpus.folds[0].parts().values() for s in part}


def problem(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **options)
    return str(caught.value)


def test_sound_face_and_text_of_a_clip(folder: Path) -> None:
    corpus = read(folder)
    assert corpus.task == Classification(EMOTIONS)
    assert corpus.widths == {"text": 100, "audio": 35, "vision": 35}
    sample = by_id(corpus)["03-01-05-01-01-01-02"]
    assert sample.target == [EMOTIONS.index("angry")]
    assert (sample.group, sample.text) == ("02", STATEMENTS[0])
    assert set(sample.modalities) == {"text", "audio", "vision"}
    with np.load(folder / "au_mfcc.npz") as stored:
        row = list(stored["ids"]).index("01-01-05-01-01-01-02")
        np.testing.assert_array_equal(sample.sequences["vision"], stored["au"][row : row + 1])
    assert by_id(corpus)["03-01-07-01-02-01-02"].text == STATEMENTS[1]


def test_clips_are_trimmed_unless_asked_not_to(folder: Path) -> None:
    trimmed, whole = by_id(read(folder)), by_id(read(folder, trim=False, cepstra=8))
    cut = []
    for clip, sample in whole.items():
        frames = sample.sequences["audio"]
        assert frames.shape[1] == 23
        cut.append(len(frames) - len(trimmed[clip].sequences["audio"]))
    # Nearly all have about a second of silence before the first word.
    assert min(cut) >= 20
    assert np.median(cut) > 100


@pytest.mark.parametrize(
    ("audio", "width", "steps"),
    [("functionals", 420, 1), ("speech", 768, 10), ("summary", 1956, 1)],
)
def test_audio_is_what_was_asked_for(folder: Path, audio: str, width: int, steps: int) -> None:
    corpus = read(folder, audio=audio, pool=16)
    assert corpus.widths["audio"] == width
    lengths = [len(sample.sequences["audio"]) for sample in by_id(corpus).values()]
    assert min(lengths) >= steps
    assert (max(lengths) == 1) == (steps == 1)
    assert corpus.features["audio"] != read(folder).features["audio"]


def test_a_summary_is_functionals_and_moments_of_the_states(folder: Path) -> None:
    summary, functionals, speech = (
        by_id(read(folder, audio=audio)) for audio in ("summary", "functionals", "speech")
    )
    for clip, sample in summary.items():
        states = speech[clip].sequences["audio"].astype(np.float64)
        expected = [
            functionals[clip].sequences["audio"][0],
            states.mean(axis=0),
            states.std(axis=0),
        ]
        np.testing.assert_allclose(
            sample.sequences["audio"][0], np.concatenate(expected), rtol=1e-4, atol=1e-4
        )


def test_names_tell_what_changes_the_data(folder: Path) -> None:
    assert read(folder).name == "ravdess[text=glove]"
    other = read(folder, trim=False, cepstra=8, fold=2)
    assert other.name == "ravdess[text=glove,fold=2,cepstra=8,trim=false]"
    assert other.features["audio"] != read(folder).features["audio"]


def test_each_actor_is_tested_once_and_never_shared(folder: Path) -> None:
    corpus = read(folder)
    assert len(corpus.folds) == 4
    tested = []
    for number, fold in enumerate(corpus.folds):
        train, valid, test = ({s.group for s in part} for part in fold.parts().values())
        assert sorted([*train, *valid, *test]) == list(ACTORS)
        tested += sorted(test)
        alone = read(folder, fold=number).folds
        assert [s.id for s in alone[0].test] == [s.id for s in fold.test]
    assert tested == list(ACTORS)


def test_folds_of_all_actors() -> None:
    actors = [f"{number:02d}" for number in range(1, 25)]
    samples = [
        Sample(f"{actor}-{clip}", {"audio": np.zeros((1, 1), np.float32)}, group=actor)
        for actor in actors
        for clip in range(2)
    ]
    folds = actor_folds(samples, Path("ravdess"))
    for number, fold in enumerate(folds):
        train, valid, test = (sorted({s.group for s in p}) for p in fold.parts().values())
        assert test == actors[number::4]
        assert (len(train), len(valid)) == (15, 3)
        assert sorted(train + valid + test) == actors
        # Odd actors are men, even ones women: a validation set has both.
        assert len({int(actor) % 2 for actor in valid}) == 2
        assert sum(len(part) for part in fold.parts().values()) == len(samples)


def test_folders_of_actors_and_wav_files_are_read(copy: Path) -> None:
    before = read(copy)
    moved = copy / "audio" / "Actor_01"
    moved.mkdir()
    for clip in (copy / "audio").glob("*-01.flac"):
        clip.rename(moved / clip.name)
    assert read(copy).fingerprint() == before.fingerprint()
    clip = moved / "03-01-01-01-01-01-01.flac"
    signal, rate = read_audio(clip)
    wavfile.write(clip.with_suffix(".wav"), rate, signal)
    clip.unlink()
    features = by_id(read(copy))[clip.stem].sequences["audio"]
    np.testing.assert_allclose(features, by_id(before)[clip.stem].sequences["audio"], atol=1e-4)


def test_a_clip_without_a_face_has_no_vision(copy: Path) -> None:
    with np.load(copy / "au_mfcc.npz") as stored:
        ids, units = stored["ids"], stored["au"].copy()
    units[list(ids).index("01-01-03-01-02-01-01")] = np.nan
    kept = ids != "01-01-05-01-01-01-02"
    write_faces(copy, ids[kept], units[kept])
    samples = by_id(read(copy))
    without = {clip for clip, sample in samples.items() if "vision" not in sample.modalities}
    assert without == {"03-01-03-01-02-01-01", "03-01-05-01-01-01-02"}


def test_folders_that_cannot_be_used(copy: Path) -> None:
    audio = copy / "audio"
    assert "did you mean 'cepstra'" in problem(copy, cepstrum=3)
    assert "fold" in problem(copy, fold=4)
    assert problem(audio).startswith(f"{audio / 'audio'}: holds no RAVDESS speech clips")
    odd = audio / "03-01-09-01-01-01-01.flac"
    odd.touch()
    assert problem(copy).startswith(f"{odd}: is not named as RAVDESS clips are")
    odd.unlink()
    damaged = audio / "03-01-01-01-01-01-03.flac"
    sound = damaged.read_bytes()
    damaged.write_bytes(sound[:1000])
    assert problem(copy).startswith(f"{damaged}: cannot be read as audio")
    damaged.write_bytes(sound)
    for clip in audio.glob("*-04.flac"):
        clip.unlink()
    assert "has clips of 3 actors" in problem(copy)


def test_files_of_faces_that_cannot_be_used(copy: Path) -> None:
    faces = copy / "au_mfcc.npz"
    np.savez(faces, ids=np.array(["01-01-01-01-01-01-01"]))
    assert problem(copy).startswith(f"{faces}: has no array 'au'")
    write_faces(copy, np.array(["01-01-01-01-01-01-01"]), np.zeros((2, 35), np.float32))
    assert "do not have one row a sample: {'ids': 1, 'au': 2}" in problem(copy)
    write_faces(copy, np.array(["01-01-01-01-01-01-01"]), np.zeros((1, 5, 7), np.float32))
    assert "ids of shape (1,) and action units of shape (1, 5, 7)" in problem(copy)
    faces.write_bytes(b"")
    assert problem(copy).startswith(f"{faces}: cannot be read")
    faces.unlink()
    assert problem(copy).startswith(f"{faces}: no such file")


def test_a_clip_that_lies_in_two_folders_is_read_once(tmp_path: Path) -> None:
    for place in ("Actor_01", "again/Actor_01"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "03-01-01-01-01-01-01.wav").write_bytes(b"sound")
    assert len(speech_clips(tmp_path)) == 1
    (tmp_path / "again/Actor_01/03-01-01-01-01-01-01.wav").write_bytes(b"other")
    with pytest.raises(InputError, match=r"is another clip than .* of the same name; remove one"):
        speech_clips(tmp_path)
