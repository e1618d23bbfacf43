"""Which clips train, validate and test: as the table says, else by group, stratified and seeded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.samples import PARTS, FloatArray
from affuse.tasks import Continuous, Task

# Of what does not test, one part in so many validates.
_VALIDATES = 6
_TESTS_ONCE = 5
_BINS = 4


class Division(NamedTuple):
    """Part of each clip, `(N,)`, in each fold; and what is told of it."""

    folds: tuple[tuple[str, ...], ...]
    notices: tuple[str, ...] = ()


def divide(
    given: Sequence[str | None],
    groups: Sequence[str],
    strata: NDArray[np.int64],
    *,
    folds: int,
    seed: int,
    source: str,
) -> Division:
    """Divide N clips.

    Args:
        given: the part of each that the table says, or None for all.
        groups: what must not be shared between parts, such as a speaker.
        strata: int64 `(N,)`, of which each part gets its share (`strata_of`).
        folds: where the table says nothing: so many, each tested once; 1 tests a fifth.

    Raises:
        InputError: too few clips, or none that trains.
    """
    if len(given) < len(PARTS):
        problem, remedy = f"has {len(given)} labelled clips", "give more: each part needs some"
        raise InputError(problem, remedy=remedy, source=source)
    if any(given) and PARTS[0] not in given:
        problem, remedy = "no row has the split train", "let some rows train"
        raise InputError(problem, remedy=remedy, source=source)
    if any(given):
        return _as_given(given, groups, strata, seed=seed)
    return _drawn(groups, strata, folds=folds, seed=seed)


def strata_of(task: Task, targets: FloatArray) -> NDArray[np.int64]:
    """Classes, combinations of flags, or quarters of values; of several values, their halves."""
    if isinstance(task, Continuous):
        bins = _BINS if task.outputs == 1 else 2
        edges = np.nanquantile(targets, np.arange(1, bins) / bins, axis=0)
        # What is not told lies below no edge.
        targets = (targets[None] >= edges[:, None]).sum(axis=0)
    _, strata = np.unique(targets, axis=0, return_inverse=True)
    return strata.reshape(-1).astype(np.int64)


def _as_given(
    given: Sequence[str | None], groups: Sequence[str], strata: NDArray[np.int64], *, seed: int
) -> Division:
    parts = [part or PARTS[0] for part in given]
    notices = []
    # The test part first, for what is left of train is divided again.
    for part, count in (("test", _TESTS_ONCE), ("valid", _VALIDATES)):
        if part not in parts:
            train = np.array([place for place, p in enumerate(parts) if p == PARTS[0]])
            drawn = _draw(groups, strata, train, count, seed)
            for place in drawn:
                parts[place] = part
            notices.append(f"no row has the split {part}: {len(drawn)} clips of train are it")
    return Division((tuple(parts),), tuple(notices))


def _drawn(groups: Sequence[str], strata: NDArray[np.int64], *, folds: int, seed: int) -> Division:
    every, notices = np.arange(len(groups)), []
    count = len(set(groups))
    if count == 1:
        notices.append(f"all clips are of one group, {groups[0]}: parts share it")
        groups = [str(place) for place in every]
        count = len(groups)
    wanted = _TESTS_ONCE if folds == 1 else folds
    if count < wanted:
        notices.append(f"{count} groups make {count} folds, not {wanted}")
    bins = _bins(groups, strata, every, min(wanted, count), seed)
    tested = [_typical(bins)] if folds == 1 else range(max(bins) + 1)
    found, shared = [], False
    for number in tested:
        others = every[bins != number]
        alone = len({groups[place] for place in others}) == 1
        shared |= alone
        names = [str(place) for place in every] if alone else groups
        valid = set(_draw(names, strata, others, _VALIDATES, seed))
        found.append(
            tuple(
                "test" if bins[place] == number else "valid" if place in valid else "train"
                for place in every.tolist()
            )
        )
    if shared:
        notices.append("two groups alone: validation is of the group that trains")
    return Division(tuple(found), tuple(notices))


def _draw(
    groups: Sequence[str],
    strata: NDArray[np.int64],
    places: NDArray[np.int64],
    count: int,
    seed: int,
) -> list[int]:
    """One part in `count` of the clips at `places`, in whole groups where there are several."""
    several = len({groups[place] for place in places}) > 1
    names = groups if several else [str(place) for place in range(len(groups))]
    count = min(count, len({names[place] for place in places}))
    bins = _bins(names, strata, places, count, seed)
    return [int(place) for place in places[bins == _typical(bins)]]


def _typical(bins: NDArray[np.int64]) -> int:
    """The bin whose size is next to what each should have."""
    sizes = np.bincount(bins)
    return int(np.argmin(np.abs(sizes - sizes.mean())))


def _bins(
    groups: Sequence[str],
    strata: NDArray[np.int64],
    places: NDArray[np.int64],
    count: int,
    seed: int,
) -> NDArray[np.int64]:
    """A bin from 0 to `count` - 1 for each clip at `places`; none is empty, no group is in two.

    Groups are taken one by one, the most uneven first, each into the bin that needs what it has.
    """
    members: Mapping[str, list[int]] = defaultdict(list)
    for row, place in enumerate(places.tolist()):
        members[groups[place]].append(row)
    kinds = int(strata.max()) + 1
    tables = {
        name: np.bincount(strata[places[rows]], minlength=kinds) for name, rows in members.items()
    }
    names = sorted(members)
    np.random.default_rng(seed).shuffle(names)
    names.sort(key=lambda name: -float(np.std(tables[name])))
    total = np.maximum(sum(tables.values()), 1)
    held = np.zeros((count, kinds))
    found = np.zeros(len(places), np.int64)
    for turn, name in enumerate(names):
        empty = np.flatnonzero(held.sum(axis=1) == 0)
        # As many groups as empty bins are left: each gets one.
        open_bins = empty if len(names) - turn <= len(empty) else np.arange(count)
        costs = [
            (_unevenness(held, tables[name], bin_, total), held[bin_].sum(), bin_)
            for bin_ in open_bins.tolist()
        ]
        best = min(costs)[2]
        held[best] += tables[name]
        found[members[name]] = best
    return found


def _unevenness(
    held: NDArray[np.float64], added: NDArray[np.int64], bin_: int, total: NDArray[np.int64]
) -> float:
    trial = held.copy()
    trial[bin_] += added
    return round(float(np.mean(np.std(trial / total, axis=0))), 9)
