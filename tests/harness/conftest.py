"""Benchmarks whose hard samples are found in no time."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="module")
def _which_samples_are_hard_is_not_tested(quick_probes: None) -> None:
    """In every test of this folder."""
