"""The part of a file that a player asks for, as HTTP has it (RFC 9110, section 14)."""

from __future__ import annotations

import re


def asked_range(header: str | None, size: int) -> range | None:
    """The bytes that the header `Range` asks for; all of them where it asks for nothing else.

    Returns:
        None where it asks for bytes beyond the end of the file.
    """
    whole = range(size)
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", (header or "").replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        # Several ranges at once may be answered with all; players do not ask for them.
        return whole
    first, last = found[1][:18], found[2][:18]
    if not first:
        part = range(max(size - int(last), 0), size)
        return part if part else None
    if last and int(last) < int(first):
        return whole
    part = range(int(first), min(int(last or size) + 1, size))
    return part if part else None
