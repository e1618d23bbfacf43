"""What the service refuses: a status of HTTP and one line, as JSON."""

from __future__ import annotations

from collections.abc import Mapping


class Refused(Exception):  # noqa: N818 - no fault of a program
    """A request that is not answered as asked.

    Args:
        status: of HTTP.
        line: what is wrong, and what to do.
        headers: of the answer.
    """

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status, self.line = status, " ".join(line.split())
        self.headers = dict(headers or {})


def later(status: int, line: str, seconds: int) -> Refused:
    """A refusal of what may be asked again after so many seconds."""
    return Refused(status, line, {"Retry-After": str(max(1, seconds))})
