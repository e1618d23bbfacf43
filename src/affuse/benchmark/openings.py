"""The log of a results folder's test parts: each opening is a line, written before it happens."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affuse.errors import file_error

LOG = "test-openings.jsonl"


def log_opening(folder: Path, run: str, checkpoint: str) -> dict[str, Any]:
    """Note that a run's test part is opened for a checkpoint.

    The same checkpoint may be asked again, as after a kill: it says the same. Another one counts,
    for what was seen of the first may have guided it.

    Args:
        folder: the results folder.
        run: its name.
        checkpoint: the digest of its weights.

    Returns:
        `count`, for how many checkpoints the part was opened, and `log`, all openings of the run.
    """
    opened = {
        "run": run,
        "checkpoint": checkpoint,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    file = folder / LOG
    try:
        known = file.read_text(encoding="utf-8") if file.exists() else ""
        # A kill may have cut the last line short.
        begin = "" if known.endswith("\n") or not known else "\n"
        with file.open("a", encoding="utf-8") as log:
            log.write(f"{begin}{json.dumps(opened)}\n")
            log.flush()
            os.fsync(log.fileno())
    except OSError as error:
        raise file_error(error, "cannot be written", file) from None
    lines = (*map(_read, known.splitlines()), opened)
    same = [line for line in lines if line.get("run") == run]
    return {"count": len({line.get("checkpoint") for line in same}), "log": same}


def _read(line: str) -> dict[str, Any]:
    """A line's content; a line that a kill cut short has none."""
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
