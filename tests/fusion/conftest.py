"""Random samples and comparisons for the tests of models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.fusion.model import FusionOutput
from affuse.samples import Sample

RandomSamples = Callable[..., list[Sample]]
AssertSame = Callable[..., None]


def _random_samples(
    widths: Mapping[str, int], lengths: Sequence[Sequence[int]], *, seed: int = 0
) -> list[Sample]:
    """One sample for each row of `lengths`; a length of 0 leaves that modality out."""
    rng = np.random.default_rng(seed)
    return [
        Sample(
            f"sample{row}",
            {
                modality: rng.standard_normal((steps, width)).astype(np.float32)
                for steps, (modality, width) in zip(counts, widths.items(), strict=True)
                if steps
            },
        )
        for row, counts in enumerate(lengths)
    ]


def _assert_same(
    ours: FusionOutput, theirs: FusionOutput, rows: Sequence[int] | None = None
) -> None:
    """All that `ours` says equals what `theirs` says (of these rows), to 1e-5."""
    torch.testing.assert_close(_parts(ours), _parts(theirs, rows), rtol=1e-5, atol=1e-5)


def _parts(output: FusionOutput, rows: Sequence[int] | None = None) -> dict[str, Tensor]:
    names = ("prediction", "gate", "primary", "unimodal", "expected_loss")
    parts = {name: getattr(output, name) for name in names}
    kept = slice(None) if rows is None else list(rows)
    return {name: part[kept] for name, part in parts.items() if part is not None}


def _perturb(model: nn.Module) -> None:
    """Move every parameter, so that nothing that starts at zero hides from a test."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


@pytest.fixture(scope="session")
def random_samples() -> RandomSamples:
    return _random_samples


@pytest.fixture(scope="session")
def assert_same() -> AssertSame:
    return _assert_same


@pytest.fixture(scope="session")
def perturb() -> Callable[[nn.Module], None]:
    return _perturb
