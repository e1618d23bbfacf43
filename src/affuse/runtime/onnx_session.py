"""An exported model in onnxruntime: samples in, arrays out. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.errors import InputError
from affuse.optional import require
from affuse.runtime.bundle import MODEL, BundleConfig, read_config
from affuse.samples import Sample
from affuse.tasks import Floats, Task


@dataclass(frozen=True)
class Outputs:
    """What a model says of N samples over M modalities.

    Attributes:
        prediction: raw outputs `(N, C)`.
        gate: weights `(N, M)`.
        primary: index `(N,)` of the modality that leads.
        unimodal: raw outputs `(N, M, C)` of each modality alone, where the model has them.
    """

    prediction: Floats
    gate: Floats
    primary: NDArray[np.integer[Any]]
    unimodal: Floats | None


class Session:
    """An exported model that is ready to answer.

    Args:
        folder: what `affuse export` wrote.
        threads: of onnxruntime. One is best beside the extraction of the next clip; two gain where
            nothing else runs and sequences are long.

    Raises:
        InputError: onnxruntime is not installed, or the folder is none or damaged.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.folder = folder
        self.config: BundleConfig = read_config(folder)
        self.task = Task.from_config(self.config.task)
        self.modalities = tuple(self.config.widths)
        self._session = _open(folder / MODEL, threads)
        self._inputs = {given.name for given in self._session.get_inputs()}

    def run(self, samples: Sequence[Sample]) -> Outputs:
        """The answers for samples, padded to one batch; they do not depend on each other.

        Raises:
            InputError: no samples, or one without any known modality, of another width or with
                values that are not finite.
        """
        if not samples:
            raise InputError("a batch of no samples", remedy="give at least one sample")
        for sample in samples:
            self._check(sample)
        feeds: dict[str, NDArray[Any]] = {}
        for modality, width in self.config.widths.items():
            sequences = [sample.sequences.get(modality) for sample in samples]
            lengths = np.array([0 if x is None else len(x) for x in sequences])
            steps = max(int(lengths.max()), 1)
            features = np.zeros((len(samples), steps, width), np.float32)
            for row, sequence in enumerate(sequences):
                if sequence is not None:
                    features[row, : len(sequence)] = sequence
            feeds[modality] = features
            feeds[f"{modality}.mask"] = np.arange(steps) < lengths[:, None]
        # The exporter leaves out what a model does not read.
        feeds = {name: value for name, value in feeds.items() if name in self._inputs}
        names = self.config.outputs
        found = dict(zip(names, self._session.run(list(names), feeds), strict=True))
        return Outputs(found["prediction"], found["gate"], found["primary"], found.get("unimodal"))

    def _check(self, sample: Sample) -> None:
        present = [m for m in self.modalities if m in sample.sequences]
        if not present:
            raise InputError(
                f"sample '{sample.id}' has no modality with data",
                remedy=f"give at least one of: {', '.join(self.modalities)}",
            )
        for modality in present:
            sequence, width = sample.sequences[modality], self.config.widths[modality]
            if sequence.shape[1] != width:
                raise InputError(
                    f"sample '{sample.id}' has {modality} of width {sequence.shape[1]}, "
                    f"'{self.config.name}' reads {width}",
                    remedy=f"extract it with: {self.config.features.get(modality, 'its features')}",
                )
            if not np.isfinite(sequence).all():
                raise InputError(
                    f"sample '{sample.id}' has {modality} with values that are not finite",
                    remedy="set them to zero or leave the modality out",
                )


def _open(path: Path, threads: int) -> Any:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What waits for work by spinning takes a core from whatever decodes the next clip.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes are not public, and a damaged file raises any
        first = next(iter(str(error).splitlines()), type(error).__name__)[:120]
        raise InputError(
            f"cannot be loaded ({first})",
            remedy="copy the folder anew or export again",
            source=path,
        ) from None
