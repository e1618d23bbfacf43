"""Conflicts planted in samples without any."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.incongruity.planted import plant_conflicts
from affuse.samples import Sample
from affuse.tasks import Classification

TASK = Classification(("calm", "glad", "sad"))


def takes(count: int = 60) -> list[Sample]:
    """Samples of three speakers whose features are their own number."""
    return [
        Sample(
            str(row),
            {m: np.full((2, 3), row, dtype=np.float32) for m in ("voice", "face")},
            np.array([row % 3], dtype=np.float32),
            {"voice": np.arange(2, dtype=np.float32) + row},
            group=f"speaker{row // 3 % 3}",
        )
        for row in range(count)
    ]


def donor(sample: Sample) -> int:
    return int(sample.sequences["voice"][0, 0])


def test_the_voice_is_of_another_take_of_the_same_speaker() -> None:
    before = takes()
    after = plant_conflicts(TASK, before, "voice", "face", share=0.3)
    conflicts = [s for s in after if s.truth["conflict"]]
    assert len(conflicts) == 18
    for sample in conflicts:
        other = before[donor(sample)]
        assert other.group == sample.group
        assert other.target != sample.target
        assert sample.times["voice"] is other.times["voice"]
        assert (sample.truth["primary"], sample.truth["conflicting"]) == ("face", "voice")


def test_the_rest_stays_as_it_was() -> None:
    before = takes()
    after = plant_conflicts(TASK, before, "voice", "face", share=0.3)
    for old, new in zip(before, after, strict=True):
        assert old.sequences["face"] is new.sequences["face"]
        assert (old.id, old.target, old.group) == (new.id, new.target, new.group)
        if not new.truth["conflict"]:
            assert donor(new) == int(old.id)
            assert new.truth["conflicting"] is None


def test_the_seed_decides() -> None:
    def planted(seed: int) -> Sequence[int]:
        return [donor(s) for s in plant_conflicts(TASK, takes(), "voice", "face", seed=seed)]

    assert planted(1) == planted(1)
    assert planted(1) != planted(2)


def test_samples_without_both_are_left_alone() -> None:
    samples = [s.keep(["face"]) if int(s.id) < 30 else s for s in takes()]
    after = plant_conflicts(TASK, samples, "voice", "face", share=1.0)
    assert [s.truth["conflict"] for s in after] == [False] * 30 + [True] * 30


def test_refuses_where_nothing_can_be_planted() -> None:
    alike = [s for s in takes() if s.target is not None and s.target[0] == 0]
    with pytest.raises(InputError, match="no sample can be given the voice of another"):
        plant_conflicts(TASK, alike, "voice", "face")
    with pytest.raises(InputError, match="without a target"):
        plant_conflicts(TASK, [s.without_target() for s in takes()], "voice", "face")
