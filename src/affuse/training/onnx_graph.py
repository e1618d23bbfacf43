"""A trained model as an ONNX graph: features in, answers out, normalisation inside."""

from __future__ import annotations

import contextlib
import inspect
import io
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from affuse.batches import Batch
from affuse.errors import InputError
from affuse.fusion import FusionModel, FusionOutput
from affuse.training.normalise import CLIP, Normaliser

OUTPUTS = ("prediction", "gate", "primary", "unimodal")
"""Of `FusionOutput`, what a graph gives where the model has it."""

_TRACED = (5, 3)
"""Lengths of the samples that are traced: several, since sizes of one are special."""


class _Deployed(nn.Module):
    """A model on raw features, with tensors for arguments."""

    def __init__(self, model: FusionModel, normaliser: Normaliser | None) -> None:
        super().__init__()
        self.model = model
        means, scales = ({}, {}) if normaliser is None else (normaliser.means, normaliser.scales)
        self.known = tuple(means)
        for number, modality in enumerate(self.known):
            self.register_buffer(f"mean{number}", torch.tensor(means[modality]))
            self.register_buffer(f"scale{number}", torch.tensor(scales[modality]))

    def answer(self, *inputs: Tensor) -> FusionOutput:
        """Features `(B, T, D)` and mask `(B, T)` of each modality in turn to the answer."""
        names = self.model.modalities
        sequences = {m: self._normalised(m, x) for m, x in zip(names, inputs[::2], strict=True)}
        masks = dict(zip(names, inputs[1::2], strict=True))
        # Nobody reads the ids; their number is that of the samples that are traced.
        output: FusionOutput = self.model(Batch(sequences, masks, None, ("",) * len(_TRACED)))
        return output

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What `OUTPUTS` names of the answer."""
        output = self.answer(*inputs)
        return tuple(getattr(output, n) for n in OUTPUTS if getattr(output, n) is not None)

    def _normalised(self, modality: str, x: Tensor) -> Tensor:
        if modality not in self.known:
            return x
        number = self.known.index(modality)
        mean, scale = self.get_buffer(f"mean{number}"), self.get_buffer(f"scale{number}")
        return ((x - mean) / scale).clamp(-CLIP, CLIP)


def to_onnx(model: FusionModel, normaliser: Normaliser | None) -> tuple[bytes, tuple[str, ...]]:
    """The graph of a model in evaluation mode, and which of `OUTPUTS` it gives.

    It takes any number of samples of any lengths. Inputs are, for each modality m, `m`, float32
    `(B, T, D)`, and `m.mask`, bool `(B, T)`; one that is missing is one step that is masked.

    It is made by tracing. torch's newer exporter, dynamo=True, fixes the length of an LSTM at that
    of the example, has no stable sort, and takes some 30 times as long.
    """
    _require_tracer()
    from affuse.training.onnx_operators import OPSET, operators

    deployed = _Deployed(model, normaliser).eval()
    names = [name for m in model.modalities for name in (m, f"{m}.mask")]
    examples: list[Tensor] = []
    for number, width in enumerate(model.widths.values()):
        # Of unequal length, so that none is taken for another.
        lengths = torch.tensor(_TRACED)[:, None] + number
        mask = torch.arange(int(lengths.max())) < lengths
        examples += [torch.ones(*mask.shape, width), mask]
    with torch.no_grad():
        answer = deployed.answer(*examples)
    given = tuple(name for name in OUTPUTS if getattr(answer, name) is not None)
    file = io.BytesIO()
    with _quietly(), operators():
        torch.onnx.export(
            deployed,
            tuple(examples),
            file,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=list(given),
            dynamic_axes={n: {0: "batch", 1: f"{n.removesuffix('.mask')} steps"} for n in names}
            | {n: {0: "batch"} for n in given},
        )
    return file.getvalue(), given


def _require_tracer() -> None:
    """Raise `InputError` where torch no longer has, or does not yet have, what this stands on."""
    known = {*dir(torch.onnx), *inspect.signature(torch.onnx.export).parameters}
    if not known >= {"register_custom_op_symbolic", "symbolic_helper", "dynamo"}:
        raise InputError(
            f"torch {torch.__version__} has no ONNX exporter that traces (dynamo=False)",
            remedy="install one that has it, such as torch 2.13",
        )


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the tracer's advice, and without kernels that ONNX has no operator for."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
