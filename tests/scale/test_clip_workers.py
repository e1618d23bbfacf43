"""Clips by worker processes: the answers of one process."""

from __future__ import annotations

from pathlib import Path

import affuse
from affuse.extract.folder import Clip
from affuse.extract.text.transcript import Beside, Transcript
from affuse.runtime.many_clips import ClipReader, Reading
from affuse.scale.clip_workers import ClipJob, clip_pool, predicted


def test_processes_give_the_same_bytes(bundles, recording, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no media")
    clip, bad = Clip(recording, Path("a")), Clip(tmp_path / "bad.mp4", Path("b"))
    said = Beside(Transcript.of_text("so sad"))
    jobs = [
        ClipJob(clip),
        ClipJob(clip, beside=said),
        ClipJob(bad),
        ClipJob(clip, Reading(strict=True)),
    ]
    reader = ClipReader(affuse.load(bundles))
    with clip_pool(bundles, 2) as pool:
        numbers = {pool.submit(job): job for job in jobs}
        found = {}
        while len(found) < len(jobs):
            event = pool.next_event(60)
            if event.number in numbers and hasattr(event, "result"):
                found[event.number] = predicted(event)
    for number, job in numbers.items():
        ours = reader.read(job.clip, job.reading, beside=job.beside)
        assert found[number].content == ours.content
        assert str(found[number].error) == str(ours.error)
