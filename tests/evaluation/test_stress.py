"""A spoilt test part: the same for whoever is asked, worse from level to level, never unfair."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from affuse.evaluation.held_out import answer, answer_spoilt, hide
from affuse.evaluation.stress import KINDS, Stress, area_weights, score_levels, swapped_of
from affuse.fusion import create_model
from affuse.samples import Sample
from affuse.tasks import Regression
from affuse.training.checkpoint import Checkpoint

WIDTHS = {"text": 5, "audio": 3, "vision": 4}
STEPS = {"text": 20, "audio": 1, "vision": 11}
COUNT = 40


def made(widths: dict[str, int] = WIDTHS, count: int = COUNT) -> list[Sample]:
    """Samples without zeros; every fifth has text alone, every seventh no audio."""
    rng = np.random.default_rng(3)

    def drawn(m: str) -> np.ndarray:
        return rng.uniform(1, 2, (STEPS[m], widths[m])).astype(np.float32)

    whole = [{m: drawn(m) for m in widths} for _ in range(count)]
    for place, sequences in enumerate(whole):
        for m in list(sequences):
            if m != "text" and (place % 5 == 0 or (m == "audio" and place % 7 == 0)):
                del sequences[m]
    return [Sample(str(n), s, np.array([n % 7 - 3], np.float32)) for n, s in enumerate(whole)]


SAMPLES = made()
STRESS = Stress.of(SAMPLES, tuple(WIDTHS))
LEVELS = [(kind, level) for kind, known in KINDS.items() for level in known.levels]


def same(ours: Sequence[Sample], theirs: Sequence[Sample]) -> bool:
    return all(
        a.modalities == b.modalities
        and all(np.array_equal(a.sequences[m], b.sequences[m]) for m in a.modalities)
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize(("kind", "level"), LEVELS)
def test_whoever_is_asked_meets_the_same(kind: str, level: float) -> None:
    whole = STRESS.spoil(kind, level, SAMPLES)
    assert same(whole, STRESS.spoil(kind, level, SAMPLES))
    for read in (("text",), ("audio",), ("audio", "vision")):
        alone = STRESS.spoil(kind, level, [s.keep(read) for s in SAMPLES])
        assert same(alone, [s.keep(read) for s in whole])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_spoilt_at_level_zero_and_nothing_asked_is_changed(kind: str) -> None:
    before = made()
    assert same(STRESS.spoil(kind, 0.0, SAMPLES), before)
    STRESS.spoil(kind, KINDS[kind].levels[-1], SAMPLES)
    assert same(SAMPLES, before)


def changed(kind: str, level: float) -> set[int]:
    spoilt = STRESS.spoil(kind, level, SAMPLES)
    return {n for n, (a, b) in enumerate(zip(spoilt, SAMPLES, strict=True)) if not same([a], [b])}


def test_a_higher_rate_drops_what_a_lower_one_does() -> None:
    dropped = set()
    for rate in KINDS["missing"].levels:
        now = {
            (n, m, int(step))
            for n, s in enumerate(STRESS.spoil("missing", rate, SAMPLES))
            for m, x in s.sequences.items()
            # Of a single step its values are dropped, of several their steps as a whole.
            for step in np.flatnonzero((x if len(x) == 1 else x.T[:1]) == 0)
        }
        assert dropped <= now
        dropped = now
        values = sum(x.size for s in SAMPLES for x in s.sequences.values())
        zeros = sum(
            (x == 0).sum()
            for s in STRESS.spoil("missing", rate, SAMPLES)
            for x in s.sequences.values()
        )
        assert zeros / values == pytest.approx(rate, abs=0.04)


def test_noise_is_in_one_modality_and_grows_with_its_level() -> None:
    small, large = (STRESS.spoil("noise", level, SAMPLES) for level in (1.0, 4.0))
    noisy: list[str] = []
    for clean, one, four in zip(SAMPLES, small, large, strict=True):
        apart = {m: one.sequences[m] - x for m, x in clean.sequences.items()}
        (name,) = [m for m, x in apart.items() if x.any()]
        noisy.append(name)
        np.testing.assert_allclose(
            four.sequences[name] - clean.sequences[name], 4 * apart[name], atol=1e-5
        )
    assert set(noisy) == set(WIDTHS)
    drawn = [s.sequences["text"] - c.sequences["text"] for s, c in zip(small, SAMPLES, strict=True)]
    assert np.std(np.concatenate([x for x in drawn if x.any()])) == pytest.approx(1.0, abs=0.05)


def test_swapped_is_another_samples_voice() -> None:
    having = [n for n, s in enumerate(SAMPLES) if "audio" in s.sequences]
    spoilt = STRESS.spoil("swapped", 1.0, SAMPLES)
    voices = {SAMPLES[n].sequences["audio"].tobytes(): n for n in having}
    donors = [voices[spoilt[n].sequences["audio"].tobytes()] for n in having]
    assert sorted(donors) == having
    assert all(donor != n for donor, n in zip(donors, having, strict=True))
    assert same(
        [s.keep(("text", "vision")) for s in spoilt], [s.keep(("text", "vision")) for s in SAMPLES]
    )
    nested = [changed("swapped", share) for share in KINDS["swapped"].levels]
    assert all(a < b for a, b in pairwise(nested))
    assert [len(n) for n in nested] == [round(s * len(having)) for s in KINDS["swapped"].levels]


def test_without_a_voice_the_last_modality_is_swapped() -> None:
    assert swapped_of(("text", "audio", "vision")) == "audio"
    assert swapped_of(("text", "vision")) == "vision"
    alone = made(count=1)
    assert same(Stress.of(alone, tuple(WIDTHS)).spoil("swapped", 1.0, alone), alone)


def test_lost_is_one_modality_and_never_the_last() -> None:
    several = {n for n, s in enumerate(SAMPLES) if len(s.sequences) > 1}
    spoilt = STRESS.spoil("lost", 1.0, SAMPLES)
    gone = [set(a.modalities) - set(b.modalities) for a, b in zip(SAMPLES, spoilt, strict=True)]
    assert {n for n, lost in enumerate(gone) if len(lost) == 1} == several
    assert set().union(*gone) == set(WIDTHS)
    nested = [changed("lost", share) for share in KINDS["lost"].levels]
    assert all(a < b for a, b in pairwise(nested))


def test_the_area_is_the_mean_height() -> None:
    for kind in KINDS.values():
        weights, levels = area_weights(kind.levels), np.array(kind.levels)
        assert weights.sum() == pytest.approx(1.0)
        # Under a straight line it is the height in the middle.
        assert weights @ (2 - levels) == pytest.approx(2 - (levels[0] + levels[-1]) / 2)
    assert area_weights([0, 1, 3]) @ [1, 2, 4] == pytest.approx((1.5 * 1 + 3 * 2) / 3)


def test_answers_come_in_the_order_of_the_key_and_know_the_clean_one() -> None:
    model = create_model("concat", WIDTHS, 1, {"width": 8, "heads": 2}).eval()
    checkpoint = Checkpoint("concat", model, Regression(), None)
    hidden = hide(SAMPLES)
    clean = answer(checkpoint, hidden, subsets=False)
    spoilt = answer_spoilt(checkpoint, hidden, Stress.of(hidden, tuple(WIDTHS)))
    assert {k: v.shape for k, v in spoilt.items()} == {
        kind: (len(known.levels) - 1, COUNT, 1) for kind, known in KINDS.items()
    }
    lone = [n for n, s in enumerate(SAMPLES) if len(s.sequences) == 1]
    np.testing.assert_allclose(spoilt["lost"][-1][lone], clean.prediction[lone], atol=1e-6)
    target = np.stack([s.target for s in SAMPLES if s.target is not None])
    scores = score_levels(Regression(), clean.prediction, spoilt, target)
    assert [level for level, _ in scores["noise"]] == list(KINDS["noise"].levels)
    assert scores["noise"][0][1] == scores["lost"][0][1] != scores["noise"][-1][1]


def test_the_trivial_answer_stands_for_who_lost_all() -> None:
    model = create_model("unimodal:audio", WIDTHS, 1, {"width": 8, "heads": 2}).eval()
    checkpoint = Checkpoint("unimodal", model, Regression(), None, training={"trivial": [2.5]})
    hidden = hide(SAMPLES)
    stress = Stress.of(hidden, tuple(WIDTHS))
    spoilt = answer_spoilt(checkpoint, hidden, stress)["lost"][-1][:, 0]
    lost = stress.spoil("lost", 1.0, hidden)
    without = sum("audio" not in s.sequences for s in lost)
    assert without > sum("audio" not in s.sequences for s in SAMPLES)
    assert (spoilt == 2.5).sum() == without
