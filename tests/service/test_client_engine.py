"""Clips of a table sent to a service: with the words that it says, and none that cannot be sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from affuse.extract.folder import Clip
from affuse.extract.media.segments import Segment
from affuse.scale.clip_workers import ClipJob
from affuse.scale.manifests import Row
from affuse.service.client_engine import ServiceEngine


class _Service:
    """Answers by what it was told is said."""

    def content(self, path: Path, beside: Any, *_: Any, **__: Any) -> dict[str, Any]:
        words = () if beside.transcript is None else beside.transcript.words
        return {"file": str(path), "said": [word.text for word in words]}


def test_a_table_says_what_is_said(tmp_path: Path) -> None:
    clip = Clip(tmp_path / "a.mp4", Path("a.mp4"))
    (tmp_path / "a.txt").write_text("what lies beside")
    rows = (None, Row("a.mp4", text="so sad"), Row("a.mp4", segment=Segment(1, 2)))
    jobs = [ClipJob(clip, row=row, number=number) for number, row in enumerate(rows)]
    jobs.append(ClipJob(clip, url="https://me:secret@h/a.mp4?token=secret", number=3))
    engine = ServiceEngine(_Service(), None)  # type: ignore[arg-type]
    beside, table, part, far = engine.run(jobs, progress=lambda _: None)
    assert beside.result.content["said"] == ["what", "lies", "beside"]
    assert table.result.content["said"] == ["so", "sad"]
    assert "is a part of a recording, which --server sends whole" in str(part.error)
    assert str(far.error).startswith("https://h/a.mp4: is a URL, which --server does not send")
