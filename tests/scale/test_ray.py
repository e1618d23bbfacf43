"""A Ray cluster of two nodes on this machine: the answers, and the features, of one process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from clip_files import write_clips

from affuse.errors import InputError
from affuse.extract.clip import ClipExtractor
from affuse.extract.folder import extract_all
from affuse.extract.media.segments import Segment
from affuse.extract.takes import Take, extract_takes, recordings_read_by
from affuse.scale.extraction import extracting_by_processes, extracting_by_ray, recordings_by_ray
from affuse.scale.prediction import Prediction, Request
from affuse.scale.ray_actors import Actors, Begun, Done, Told
from affuse.scale.ray_cluster import joined_cluster

parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.slow


@pytest.fixture
def clips(recording: Path, tmp_path: Path) -> Path:
    write_clips(tmp_path / "in", 12, recording)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    return tmp_path / "in"


def _bytes(folder: Path) -> dict[str, bytes]:
    return {place.name: place.read_bytes() for place in folder.iterdir()}


def _rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    return sorted(parquet.read_table(folder / kind).to_pylist(), key=lambda row: str(row["file"]))


def test_two_nodes_answer_as_one_process(two_nodes, clips, tmp_path) -> None:
    here = Request((str(clips),), "sentiment", jobs=1, out=tmp_path / "1", parquet=tmp_path / "t1")
    list(Prediction(here).run())
    there = replace(here, out=tmp_path / "2", parquet=tmp_path / "t2", jobs=2)
    there = replace(there, engine="ray", address=two_nodes.address)
    prediction = Prediction(there)
    with closing(prediction.run()) as outcomes:
        next(outcomes)
        # What a node was about is done by another.
        two_nodes.kill_one()
        list(outcomes)
    assert (prediction.answered, prediction.failed) == (12, 1)
    assert _bytes(tmp_path / "2") == _bytes(tmp_path / "1")
    for kind in ("clips", "windows", "errors"):
        assert _rows(tmp_path / "t2", kind) == _rows(tmp_path / "t1", kind)
    again = Prediction(there)
    list(again.run())
    assert (again.known, again.answered) == (12, 0)


def test_two_nodes_extract_as_one_process(two_nodes, clips, tmp_path) -> None:
    extractor = ClipExtractor()
    ways = {
        "here": None,
        "processes": extracting_by_processes(extractor.settings, 2),
        "ray": extracting_by_ray(extractor.settings, None, two_nodes.address),
    }
    told = {}
    for name, way in ways.items():
        found = extract_all(extractor, [str(clips)], tmp_path / name, extracting=way)
        told[name] = [(one.file, one.error) for one in found]
        assert _bytes(tmp_path / name) == _bytes(tmp_path / "here")
    assert told["ray"] == told["processes"] == told["here"]
    assert len(told["ray"]) == 13
    again = extract_all(extractor, [str(clips)], tmp_path / "ray", extracting=ways["ray"])
    assert sum(one.skipped for one in again) == 12


def test_the_clips_of_a_corpus_are_read_alike(two_nodes, clips, tmp_path) -> None:
    takes = [Take(path) for path in sorted(clips.glob("*.wav"))]
    takes += [Take(takes[1].path, Segment(0.5, 1.5)), Take(takes[1].path, Segment(9, 10))]
    settings = ClipExtractor().settings
    here = extract_takes(takes, settings, jobs=1, folder=tmp_path / "here")
    with recordings_read_by(recordings_by_ray(None, two_nodes.address)):
        there = extract_takes(takes, settings, folder=tmp_path / "there")
    assert [one.error for one in there] == [one.error for one in here]
    assert _bytes(tmp_path / "there") == _bytes(tmp_path / "here")


def test_no_cluster_is_told(clips) -> None:
    request = Request((str(clips),), "sentiment", engine="ray", address="127.0.0.1:1")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1: no Ray cluster answers"):
        list(Prediction(request).run())


def _killed_once(folder: Path, task: int) -> Generator[str, None, int]:
    """Tells one thing, and takes its actor with it the first time."""
    yield "begun"
    if task == 1 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os._exit(1)
    return task * 10


def _works(folder: Path) -> Callable[[int], Any]:
    return partial(_killed_once, folder)


def _does_not_begin() -> None:
    raise InputError("nothing here", remedy="look elsewhere")


def test_a_lost_task_is_begun_anew_and_a_bad_actor_is_told(two_nodes, tmp_path) -> None:
    with joined_cluster(two_nodes.address) as ray:
        # Actors do not find the modules of tests.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        with Actors(ray, partial(_works, tmp_path), 2) as actors:
            events = [event for event in actors.run(range(3)) if event is not None]
        assert sorted(e.result for e in events if isinstance(e, Done)) == [0, 10, 20]
        assert [e.task for e in events if isinstance(e, Begun)] == [1]
        # What a lost actor told last may be lost with it; its task tells it anew.
        told = sorted(e.task for e in events if isinstance(e, Told))
        assert told in ([0, 1, 1, 2], [0, 1, 2])
        with (
            Actors(ray, _does_not_begin, 1) as actors,
            pytest.raises(InputError, match="nothing here; look elsewhere"),
        ):
            list(actors.run(range(1)))
