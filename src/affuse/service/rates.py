"""How often somebody may ask, as a bucket that fills again."""

from __future__ import annotations

import math
import threading
import time

_MOST_KNOWN = 10_000


class Rates:
    """So many a minute, of each who asks.

    Args:
        a_minute: 0 is any number.
    """

    def __init__(self, a_minute: int) -> None:
        self._most, self._lock = float(a_minute), threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, who: str, count: int = 1) -> int:
        """Take some out of somebody's bucket; seconds to wait where it does not hold so many."""
        if not self._most:
            return 0
        now = time.monotonic()
        with self._lock:
            left, then = self._left.pop(who, (self._most, now))
            left = min(self._most, left + (now - then) * self._most / 60)
            lacks = min(count, self._most) - left
            self._left[who] = (left if lacks > 0 else left - count), now
            if len(self._left) > _MOST_KNOWN:
                # Whoever asked longest ago has a full bucket, or nearly.
                del self._left[next(iter(self._left))]
        return math.ceil(lacks * 60 / self._most) if lacks > 0 else 0
