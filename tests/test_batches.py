"""Batches of arrays as they lie in files."""

from __future__ import annotations

import warnings

import numpy as np

from affuse.batches import collate
from affuse.samples import Sample


def test_targets_of_single_modalities_stand_beside_each_other() -> None:
    x, one = np.zeros((2, 3), np.float32), np.array([1.5], np.float32)
    told = Sample("a", {"text": x, "audio": x}, one, unimodal={"audio": 2 * one})
    batch = collate([told, Sample("b", {"text": x, "audio": x}, one)])
    assert batch.unimodal.keys() == {"audio"}
    np.testing.assert_array_equal(batch.unimodal["audio"].numpy(), [[3.0], [np.nan]])
    assert batch.keep(["text"]).unimodal == {}


def test_arrays_that_lie_over_a_file_are_batched_without_a_warning() -> None:
    values = np.arange(12, dtype=np.float32)
    data = b"\0" + values.tobytes()
    unaligned = np.ndarray((4, 3), np.float32, memoryview(data)[1:])
    assert not unaligned.flags.aligned
    assert not unaligned.flags.writeable
    samples = [Sample("a", {"audio": unaligned}), Sample("b", {"audio": unaligned[:2]})]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = collate(samples)
    np.testing.assert_array_equal(batch.sequences["audio"][0].numpy(), values.reshape(4, 3))
    batch.sequences["audio"].zero_()
    np.testing.assert_array_equal(unaligned.ravel(), values)
