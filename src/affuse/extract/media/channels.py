"""The channels of a recording as one: those with a voice, and none against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.extract.voice import RATE
from affuse.samples import FloatArray

# Where there is a centre, people speak there and in front.
_FRONT = frozenset(("FC", "FL", "FR", "FLC", "FRC"))
_BASS = frozenset(("LFE", "LFE2"))
# A channel of less than this share of the loudest one's power (40 dB) holds nothing.
_DEAD = 1e-4
# A channel is turned round where it goes against the loudest so far, and back where no longer.
_AGAINST, _NO_LONGER = -0.5, -0.2
# To listen takes ten times as long as to mix: the first pieces are listened to, then every 16th.
_FIRST, _EVERY = 50, 16
# Of how channels go together, half is forgotten after so many seconds that were listened to.
_MEMORY = 2.0


class Mixer:
    """Mixes channels down to one: the mean of those that hold something.

    Of many channels the front ones are taken, if anything is in them. One that goes against the
    loudest is turned round, since the two would cancel. What is in them is known from what was
    heard before.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        voices = np.array([name not in _BASS for name in names])
        front = np.array([name in _FRONT for name in names]) if "FC" in names else voices
        # Those that are taken, if anything is in them; else the next.
        self._groups = front, voices, np.ones(len(names), bool)
        self._together = np.zeros((len(names), len(names)))
        self._heard = np.zeros(len(names))
        self._signs = np.ones(len(names))
        self._pieces = 0

    def mix(self, channels: FloatArray) -> FloatArray:
        """The next samples, `(channels, N)`, as one channel, float32 `(N,)`."""
        if len(channels) == 1:
            only: FloatArray = channels[0]
            return only
        if self._pieces < _FIRST or self._pieces % _EVERY == 0 or not self._heard.any():
            self._listen(channels)
            live = self._live()
            self._weights = (self._signs * live / live.sum()).astype(np.float32)
        self._pieces += 1
        mixed: FloatArray = self._weights @ channels
        return mixed

    @property
    def used(self) -> list[str]:
        """The channels that are mixed, those that were turned round with a minus."""
        chosen = zip(self._names, self._signs, self._live(), strict=True)
        return [f"-{name}" if sign < 0 else name for name, sign, live in chosen if live]

    def _listen(self, channels: FloatArray) -> None:
        together = (channels @ channels.T).astype(np.float64)
        self._together *= 0.5 ** (channels.shape[1] / (_MEMORY * RATE))
        self._together += together
        self._heard += together.diagonal()
        power = self._together.diagonal()
        loudest = int(np.where(self._live(), power, -1).argmax())
        scale = np.sqrt(power * power[loudest])
        alike = self._together[loudest] / np.maximum(scale, 1e-30)
        # To turn round all of them changes nothing.
        alike *= self._signs[loudest]
        turned = np.where(self._signs < 0, alike < _NO_LONGER, alike < _AGAINST)
        turned[loudest] = self._signs[loudest] < 0
        self._signs = np.where(turned, -1.0, 1.0)

    def _live(self) -> NDArray[Any]:
        """Which channels are mixed: all that are meant to where none holds anything."""
        loud: NDArray[Any] = self._heard > _DEAD * self._heard.max()
        found = (loud & group for group in self._groups)
        return next((live for live in found if live.any()), self._groups[0])
