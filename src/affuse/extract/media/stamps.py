"""One clock for a recording: where what its streams hold belongs, by all of their time stamps.

Time stamps may begin late, leave gaps, start anew where recordings were joined, or be by another
clock. What the other stream or the length that the file states confirms is believed; the rest is
closed up, and told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

# Stamps that jump further than this need to be confirmed.
# FFmpeg's own tools draw the line there too (dts_delta_threshold).
_JUMP = 10.0
# Stamps of decoding rise; where they fall by more, they start anew.
_BACK = 0.5
# No length that a file states confirms more than this: what joins files by their stamps, or has its
# clock set while it runs, states such lengths too.
_LONGEST = 1800.0
# What is missing for less is not told of.
_GAP = 2.0

_LATE = "time stamps of the {name} begin {at} late, by another clock: moved to the beginning"
_FORWARD = "time stamps of the {name} jump at {at}, which nothing confirms: closed up"
_ANEW = "time stamps of the {name} start anew at {at}: what follows is taken to go on there"


class RecordingClock:
    """Moves the time stamps of packets to seconds from the start of the recording.

    Packets come in the order in which they are stored, so that each stream shows how far the
    recording has come when another jumps.

    Args:
        start: the first time stamp of the file, in seconds, if it is known.
        stated: the length in seconds that the file states, if any.
        joins: whether stamps may start anew in files of its format. Their length is found by the
            last stamp, and confirms nothing.
    """

    def __init__(self, start: float | None, stated: float | None, *, joins: bool) -> None:
        self._start, self._stated, self._joins = start, stated, joins
        self._streams: dict[int, _Stream] = {}
        self._guesses: dict[str, list[float]] = {}

    def place(self, packet: Any, name: str) -> None:
        """Move the stamps of a packet; messages call what is in it by `name`."""
        stamp: int | None = packet.pts if packet.dts is None else packet.dts
        stream = self._streams.get(packet.stream_index)
        if stream is None:
            stream = self._streams[packet.stream_index] = self._begin(packet, stamp, name)
        length = (packet.duration or 0) * stream.tick
        if stamp is None:
            stream.end += length
            return
        at = stamp * stream.tick
        time = at + stream.offset
        if time > stream.end + _JUMP or time < stream.at - _BACK:
            stream.move(self._offset(stream, at))
            time = at + stream.offset
        if time > stream.end + _GAP:
            stream.gaps.append((stream.end, time))
        stream.at, stream.end, stream.begun = time, time + length, True
        if packet.pts is not None:
            packet.pts += stream.ticks
        if packet.dts is not None:
            packet.dts += stream.ticks
        if not packet.is_discard:
            shown: Any = packet.dts if packet.pts is None else packet.pts
            stream.last = max(stream.last, shown * stream.tick + length)

    def gaps(self, index: int) -> list[tuple[float, float]]:
        """From when to when a stream of the file holds nothing though the recording goes on."""
        return self._streams[index].gaps if index in self._streams else []

    @property
    def length(self) -> float:
        """The second at which the recording ends, by the packets that were placed."""
        return max((s.last or s.end for s in self._streams.values()), default=0.0)

    @property
    def notices(self) -> Iterator[str]:
        """What was guessed, a line each."""
        for guess, seconds in self._guesses.items():
            more = len(seconds) - 1
            yield guess.format(at=f"{seconds[0]:.1f} s") + (f" ({more} more such)" if more else "")

    def _begin(self, packet: Any, stamp: int | None, name: str) -> _Stream:
        tick = float(packet.time_base or 0)
        if self._start is None and stamp is not None:
            self._start = stamp * tick
        stream = _Stream(name, tick)
        stream.move(-(self._start or 0.0))
        return stream

    def _offset(self, stream: _Stream, at: float) -> float:
        """What is to be added to the stamps of a stream from `at` on, where they jump."""
        time = at + stream.offset
        others = [s for s in self._streams.values() if s is not stream and s.begun]
        # Where another has jumped already, or after a stamp that was damaged.
        for known in (*(s.offset for s in others), *stream.before):
            if -_BACK <= at + known - stream.end <= _JUMP:
                return known
        if time > stream.end and self._confirmed(time, time - stream.end, others):
            return stream.offset
        guess = _ANEW if time < stream.at else _FORWARD if stream.begun else _LATE
        told = stream.end if stream.begun else time
        self._guesses.setdefault(guess.replace("{name}", stream.name), []).append(told)
        # The other may have ended later, and both go on together.
        near = (s.end for s in others if s.end <= stream.end + _JUMP)
        goes_on = max(stream.end, *near) if stream.begun and others else stream.end
        return goes_on - at

    def _confirmed(self, time: float, gap: float, others: list[_Stream]) -> bool:
        if any(other.end >= time - _JUMP for other in others):
            return True
        fits = self._stated is None or time <= self._stated + 1
        return not self._joins and gap <= _LONGEST and fits


@dataclass
class _Stream:
    """What is known of a stream; seconds are of the recording."""

    name: str
    tick: float  # seconds of a unit of its stamps
    offset: float = 0.0  # seconds that are added to its stamps, and the same in their unit
    ticks: int = 0
    begun: bool = False
    at: float = -_JUMP  # where its last packet is decoded, and where that ends
    end: float = 0.0
    last: float = 0.0  # where what it shows or sounds ends
    before: list[float] = field(default_factory=list)
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def move(self, offset: float) -> None:
        if self.begun and self.offset not in self.before:
            self.before = [*self.before[-3:], self.offset]
        self.offset = offset
        self.ticks = round(offset / self.tick) if self.tick else 0
