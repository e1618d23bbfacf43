"""A Ray cluster of two nodes on this machine: the answers of one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clip_files import write_clips

from affuse.errors import InputError
from affuse.scale.prediction import Prediction, Request

parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield found, found.add_node(num_cpus=1)
    ray.shutdown()
    found.shutdown()


@pytest.fixture
def request_of(recording: Path, tmp_path: Path) -> Request:
    write_clips(tmp_path / "in", 12, recording)
    (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
    return Request((str(tmp_path / "in"),), "sentiment", jobs=1)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {place.name: place.read_bytes() for place in folder.iterdir()}


def _rows(folder: Path, kind: str) -> list[dict[str, Any]]:
    return sorted(parquet.read_table(folder / kind).to_pylist(), key=lambda row: str(row["file"]))


def test_two_nodes_answer_as_one_process(cluster, request_of, tmp_path) -> None:
    here = replace(request_of, out=tmp_path / "one", parquet=tmp_path / "t1")
    list(Prediction(here).run())
    there = replace(here, out=tmp_path / "two", parquet=tmp_path / "t2", jobs=2)
    nodes, second = cluster
    there = replace(there, engine="ray", address=nodes.address)
    prediction = Prediction(there)
    outcomes = prediction.run()
    next(outcomes)
    # What a node was about is done by another.
    nodes.remove_node(second, allow_graceful=False)
    list(outcomes)
    assert (prediction.answered, prediction.failed) == (12, 1)
    assert _bytes(tmp_path / "two") == _bytes(tmp_path / "one")
    for kind in ("clips", "windows", "errors"):
        assert _rows(tmp_path / "t2", kind) == _rows(tmp_path / "t1", kind)
    again = Prediction(there)
    list(again.run())
    assert (again.known, again.answered) == (12, 0)


def test_no_cluster_is_told(request_of) -> None:
    with pytest.raises(InputError, match=r"127\.0\.0\.1:1: no Ray cluster answers"):
        list(Prediction(replace(request_of, engine="ray", address="127.0.0.1:1")).run())
