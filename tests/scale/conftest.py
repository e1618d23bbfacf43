"""A Ray cluster of two nodes on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

_QUIET = {"num_cpus": 1, "include_dashboard": False, "include_log_monitor": False}


class TwoNodes:
    """A cluster with a core on each of two nodes; one of them can be killed."""

    def __init__(self, cluster: Any) -> None:
        self._cluster, self._second = cluster, None
        self.address: str = cluster.address

    def mend(self) -> None:
        """Begin the second node, where it is not there."""
        if self._second is None:
            self._second = self._cluster.add_node(**_QUIET)

    def kill_one(self) -> None:
        """End a node at once, with all that runs there."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = None


@pytest.fixture(scope="session")
def a_cluster() -> Iterator[TwoNodes]:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    # Ray lets what it runs wait for all else, and on a busy machine that is long.
    os.environ.setdefault("RAY_worker_niceness", "0")
    cluster = Cluster(initialize_head=True, head_node_args=_QUIET)
    yield TwoNodes(cluster)
    cluster.shutdown()


@pytest.fixture
def two_nodes(a_cluster: TwoNodes) -> TwoNodes:
    """Both nodes, whatever was killed before."""
    a_cluster.mend()
    return a_cluster
