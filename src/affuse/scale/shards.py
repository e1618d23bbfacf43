"""Which of many clips are one process's: a share of them, each once."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.scale.sources import Source, Sources

Hashes = NDArray[np.uint64]


class Shard(NamedTuple):
    """The share `number` of `of`, counted from 1: every `of`-th clip."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """`2/8` to a share; `InputError` for anything else."""
        found = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.of:
            remedy = "give i/n with i from 1 to n, such as 1/8"
            raise InputError(f"'{text}' is no share", remedy=remedy, source="--shard")
        return shard

    @property
    def label(self) -> str:
        """For names of files: shares of one whole have each their own."""
        width = len(str(self.of))
        return f"{self.number:0{width}}-of-{self.of}"


def key_of(text: str) -> int:
    """64 bits that tell one clip from another."""
    content = text.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest())


class Chosen:
    """The clips of one share: each once, though it is named twice.

    Eight bytes of each clip are kept, so that there may be millions.

    Args:
        distinct: no two may have one name, since files are written under it.

    Raises:
        InputError: nothing is there, or two clips have one name.
    """

    def __init__(
        self,
        sources: Sources,
        shard: Shard = Shard(),  # noqa: B008 - it cannot change
        *,
        distinct: bool = False,
    ) -> None:
        self._sources = sources
        keys, names, places = array("Q"), array("Q"), array("Q")
        for source in sources:
            keys.append(key_of(source.identity))
            if distinct:
                names.append(key_of(source.name))
                places.append(key_of(f"{source.place} {source.name}"))
        self.keys: Hashes = np.array(keys, np.uint64)
        if distinct:
            self._require_distinct(np.array(names, np.uint64), np.array(places, np.uint64))
        first = np.zeros(len(self.keys), bool)
        first[np.unique(self.keys, return_index=True)[1]] = True
        self.repeated = int(len(first) - first.sum())
        ours = np.zeros(len(first), bool)
        ours[np.flatnonzero(first)[shard.number - 1 :: shard.of]] = True
        self._ours = ours

    def __len__(self) -> int:
        return int(self._ours.sum())

    def __iter__(self) -> Iterator[tuple[int, Source]]:
        """Each clip, with its number among all that are named."""
        for number, source in enumerate(self._sources):
            same = number < len(self.keys) and self.keys[number] == key_of(source.identity)
            if not same:
                remedy = "repeat; what is finished is kept"
                raise InputError("the clips that are named have changed meanwhile", remedy=remedy)
            if self._ours[number]:
                yield number, source

    def _require_distinct(self, names: Hashes, places: Hashes) -> None:
        """A clip that is spelled in two ways is two, as whoever spells it should know."""
        numbers = np.unique(places, return_index=True)[1]
        found, counts = np.unique(names[numbers], return_counts=True)
        if (counts == 1).all():
            return
        clashing = found[counts > 1][0]
        alike = [s for s, n in zip(self._sources, names, strict=False) if n == clashing]
        one, other = list({source.place: source for source in alike}.values())[:2]
        problem = f"would be written to the same file as {one.shown}"
        remedy = "give the folder that both lie in, or one at a time"
        raise InputError(problem, remedy=remedy, source=other.shown)
