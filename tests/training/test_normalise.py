"""Standardisation, by numbers worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.samples import Sample, Split
from affuse.training.normalise import CLIP, Normaliser, normalise, normalise_by_group


def _sample(name: str, audio: Any, group: str | None = None, **others: Any) -> Sample:
    sequences = {"audio": audio, **others}
    return Sample(
        name,
        {m: np.asarray(x, np.float32) for m, x in sequences.items()},
        target=np.ones(1, np.float32),
        group=group,
    )


def _split(**changes: Any) -> Split:
    parts = {
        "train": [_sample("a", [[0.0], [2.0]], "x"), _sample("b", [[4.0], [6.0]], "y")],
        "valid": [_sample("c", [[3.0]], "z")],
        "test": [_sample("d", [[8.0], [10.0]], "w")],
    }
    return Split(**{**parts, **changes})


def _audio(samples: Any) -> list[list[float]]:
    return [s.sequences["audio"].ravel().tolist() for s in samples]


def test_fits_over_all_frames() -> None:
    # Frames 1, 2, 3, 6: mean 3, variance (4 + 1 + 0 + 9) / 4.
    fitted = Normaliser.fit([_sample("a", [[1.0], [2.0], [3.0]]), _sample("b", [[6.0]])])
    assert fitted.means["audio"].tolist() == [3.0]
    assert fitted.scales["audio"].tolist() == [np.float32(np.sqrt(3.5))]
    assert fitted.means["audio"].dtype == fitted.scales["audio"].dtype == np.float32


def test_applies_mean_scale_and_clip() -> None:
    fitted = Normaliser(
        {"audio": np.array([1.0, 0.0], np.float32)}, {"audio": np.array([2.0, 0.5], np.float32)}
    )
    sample = _sample("a", [[5.0, 1.0], [1.0, -900.0], [3e38, -3e38]], group="g")
    found = fitted.apply(sample)
    assert found.sequences["audio"].tolist() == [[2.0, 2.0], [0.0, -CLIP], [CLIP, -CLIP]]
    assert found.sequences["audio"].dtype == np.float32
    assert (found.id, found.group, found.target) == ("a", "g", sample.target)
    assert sample.sequences["audio"][0, 0] == 5.0


def test_each_modality_has_its_own_and_may_be_missing() -> None:
    samples = [_sample("a", [[1.0], [3.0]], face=[[10.0, 0.0]]), _sample("b", [[2.0]])]
    fitted = Normaliser.fit(samples)
    assert fitted.means["face"].tolist() == [10.0, 0.0]
    assert fitted.apply(samples[1]).modalities == ("audio",)


def test_constant_features_become_zero_and_keep_their_units() -> None:
    # 0.1 has no exact float32: its mean in float64 differs from it by rounding alone.
    samples = [_sample(str(i), [[0.1, 1e30, 0.0]] * 7) for i in range(3)]
    fitted = Normaliser.fit(samples)
    assert fitted.scales["audio"].tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(fitted.apply(samples[0]).sequences["audio"], 0.0, atol=1e-6)


def test_offset_features_keep_their_variance() -> None:
    # Summed in float32, or as a difference of squares, the variance drowns in the offset.
    audio = 4e6 + np.array([[-1.0], [1.0]] * 500)
    assert Normaliser.fit([_sample("a", audio)]).scales["audio"].tolist() == [1.0]


def test_one_frame_clips() -> None:
    samples = [_sample("a", [[1.0, 5.0]]), _sample("b", [[3.0, 5.0]])]
    fitted = Normaliser.fit(samples)
    assert _audio(fitted.apply_all(samples)) == [[-1.0, 0.0], [1.0, 0.0]]


def test_arrays_bring_it_back() -> None:
    fitted = Normaliser.fit([_sample("a", [[1.0], [2.0]], **{"face.left": [[3.0, 4.0]]})])
    arrays = fitted.to_arrays()
    assert sorted(arrays) == [
        "normaliser.audio.mean",
        "normaliser.audio.scale",
        "normaliser.face.left.mean",
        "normaliser.face.left.scale",
    ]
    back = Normaliser.from_arrays({**arrays, "encoder.scale": np.zeros(3, np.float32)})
    for modality in ("audio", "face.left"):
        assert back.means[modality] is fitted.means[modality]
        assert back.scales[modality] is fitted.scales[modality]
    del arrays["normaliser.audio.scale"]
    with pytest.raises(InputError, match="the normaliser of audio lacks"):
        Normaliser.from_arrays(arrays)


def test_groups_have_their_own_mean_and_scale() -> None:
    samples = [
        _sample("a", [[0.0], [4.0]], "x"),
        _sample("b", [[100.0]], "y"),
        _sample("c", [[2.0], [10.0]], "x"),
    ]
    # Group x: frames 0, 4, 2, 10: mean 4, variance (16 + 0 + 4 + 36) / 4 = 14.
    scale = np.sqrt(14.0)
    found = normalise_by_group(samples)
    assert [s.id for s in found] == ["a", "b", "c"]
    expected = [[-4 / scale, 0.0], [0.0], [-2 / scale, 6 / scale]]
    for one, other in zip(_audio(found), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_train_uses_training_frames_alone() -> None:
    # Frames 0, 2, 4, 6: mean 3, variance (9 + 1 + 1 + 9) / 4 = 5.
    found, fitted = normalise(_split(), "train")
    assert fitted is not None
    assert fitted.means["audio"].tolist() == [3.0]
    root = np.sqrt(5.0)
    np.testing.assert_allclose(_audio(found.test)[0], [5 / root, 7 / root], rtol=1e-6)
    assert _audio(found.valid) == [[0.0]]


def test_speaker_normalises_each_group_first() -> None:
    found, fitted = normalise(_split(), "speaker")
    assert fitted is not None
    # Each speaker's two frames become -1 and 1, so training is standard already.
    assert (fitted.means["audio"].tolist(), fitted.scales["audio"].tolist()) == ([0.0], [1.0])
    assert _audio(found.train) == [[-1.0, 1.0], [-1.0, 1.0]]
    assert _audio(found.test) == [[-1.0, 1.0]]
    assert _audio(found.valid) == [[0.0]]


def test_none_changes_nothing() -> None:
    split = _split()
    found, fitted = normalise(split, "none")
    assert found is split
    assert fitted is None


@pytest.mark.parametrize("mode", ["train", "speaker"])
def test_test_samples_never_reach_training(mode: Any) -> None:
    # Even a test clip of a training speaker, as in a random split.
    other = [_sample("d", [[-70.0], [5.0]], "x"), _sample("e", [[1e6]], "v")]
    found, fitted = normalise(_split(), mode)
    changed, refitted = normalise(_split(test=other, valid=other), mode)
    assert fitted is not None
    assert refitted is not None
    assert fitted.means["audio"].tolist() == refitted.means["audio"].tolist()
    assert fitted.scales["audio"].tolist() == refitted.scales["audio"].tolist()
    assert _audio(found.train) == _audio(changed.train)


@pytest.mark.parametrize("mode", ["train", "speaker"])
def test_labels_are_not_looked_at(mode: Any) -> None:
    split = _split()
    blind = Split(**{n: [s.without_target() for s in p] for n, p in split.parts().items()})
    assert _audio(normalise(split, mode)[0].test) == _audio(normalise(blind, mode)[0].test)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    good, bad = _sample("good", [[1.0], [2.0]]), _sample("bad", [[1.0], [value]])
    with pytest.raises(InputError, match="sample 'bad' has audio with values that are not finite"):
        Normaliser.fit([good, bad])
    with pytest.raises(InputError, match="sample 'bad' has audio with values that are not finite"):
        Normaliser.fit([good]).apply(bad)


def test_other_wrong_samples_are_refused() -> None:
    fitted = Normaliser.fit([_sample("a", [[1.0]])])
    with pytest.raises(InputError, match="sample 'b' has audio of width 2, others 1"):
        fitted.apply(_sample("b", [[1.0, 2.0]]))
    with pytest.raises(InputError, match="sample 'b' has audio of width 2, others 1"):
        Normaliser.fit([_sample("a", [[1.0]]), _sample("b", [[1.0, 2.0]])])
    with pytest.raises(InputError, match="sample 'c' has face, which no training sample has"):
        fitted.apply(_sample("c", [[1.0]], face=[[1.0]]))
    with pytest.raises(InputError, match="no samples to normalise by"):
        Normaliser.fit([])
    with pytest.raises(InputError, match="sample 'e' has no group"):
        normalise_by_group([_sample("d", [[1.0]], "x"), _sample("e", [[1.0]])])
