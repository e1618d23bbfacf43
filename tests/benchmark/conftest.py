"""Benchmarks whose hard samples are found in no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from affuse.explain import probes


@pytest.fixture(autouse=True, scope="module")
def quick_probes() -> Iterator[None]:
    """Probes that learn little: which samples are hard is not what is tested here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "_STEPS", 5)
        yield
