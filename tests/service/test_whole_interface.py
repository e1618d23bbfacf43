"""The whole interface by its own description: no request ends in a fault of the service."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from services import Pretence, started

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    with pytest.MonkeyPatch.context() as workers:
        workers.setattr("affuse.service.app.Crew", Pretence)
        running = started(tmp_path_factory.mktemp("whole"), rate=0, idle=2)
    yield schemathesis.openapi.from_url(f"{running.address}/openapi.json")
    running.stop()


def test_nothing_is_a_fault(described) -> None:
    asked = Counter()
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path.endswith("/events"):
            continue

        @settings(
            max_examples=15,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case) -> None:
            answer = case.call(timeout=20)
            asked[case.method, case.path] += 1
            # What cannot be done now is told so; a fault would be 500.
            assert answer.status_code < 500 or answer.status_code in (503, 507), answer.text
            assert answer.headers["X-Content-Type-Options"] == "nosniff"

        ask()
    assert len(asked) >= 11
