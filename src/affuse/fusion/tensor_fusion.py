"""TFN and LMF: fusion by the outer product of one vector a modality, in full or in low rank.

TFN: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis" (arXiv
1707.07250). LMF: Liu et al. 2018, "Efficient Low-rank Multimodal Fusion with Modality-Specific
Factors" (arXiv 1806.00064). Both append a 1 to each vector, so that the product holds the
modalities alone, in pairs and all together; both use the same networks before it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from itertools import chain
from math import prod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.batches import Batch
from affuse.config import Options, Range
from affuse.errors import InputError
from affuse.fusion.layers import Dropout, zeroed
from affuse.fusion.model import FusionModel, FusionOutput, register_model, require_several
from affuse.fusion.recurrent import MaskedLSTM


class EmbeddingOptions(Options):
    """Options of the networks that make one vector of each modality; the sizes are TFN's paper's.

    Attributes:
        recurrent: modalities that an LSTM of `recurrent_width` reads, whose vector is
            `recurrent_output` wide; of the others the mean over time is taken.
        width: of the three layers, and the vector, of every other modality.
        dropout: in these networks, the MMSA toolkit's for TFN on CMU-MOSI.
    """

    recurrent: tuple[str, ...] = ("text",)
    recurrent_width: Annotated[int, Range(32, 192, step=32)] = Field(128, ge=1)
    recurrent_output: Annotated[int, Range(16, 128, step=16)] = Field(128, ge=1)
    width: Annotated[int, Range(8, 64, step=8)] = Field(32, ge=1)
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.2, ge=0, lt=1)


class RecurrentEmbedding(nn.Module):
    """An LSTM's last state, through one layer (TFN, section 4.1)."""

    def __init__(self, features: int, output: int, options: EmbeddingOptions) -> None:
        super().__init__()
        self.lstm = MaskedLSTM(features, options.recurrent_width)
        self.drop = Dropout(options.dropout)
        self.out = nn.Linear(options.recurrent_width, output)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        vector: Tensor = self.out(self.drop(self.lstm(x, mask)[1]))
        return vector


class MeanEmbedding(nn.Module):
    """The mean over real steps, through three layers (TFN, section 4.1)."""

    def __init__(self, features: int, output: int, options: EmbeddingOptions) -> None:
        super().__init__()
        layers = [(nn.Linear(n, output), nn.ReLU()) for n in (features, output, output)]
        self.layers = nn.Sequential(Dropout(options.dropout), *chain(*layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        count = mask.sum(dim=1, keepdim=True).clamp(min=1)
        vector: Tensor = self.layers(zeroed(x, mask).sum(dim=1) / count)
        return vector


class _VectorFusion(FusionModel):
    """What TFN and LMF share: a vector of each modality, and a prediction from all of them."""

    options: EmbeddingOptions

    def embed(self, most: int | None = None) -> dict[str, int]:
        """Make the networks before fusion, with vectors of the sizes that are returned.

        The widest are narrowed as far as their outer product must be to have `most` entries.
        """
        o, self.embeddings = self.options, nn.ModuleDict()
        sizes = {m: o.recurrent_output if m in o.recurrent else o.width for m in self.widths}
        if most is not None:
            sizes = _fitting(sizes, most)
        for modality, features in self.widths.items():
            kind = RecurrentEmbedding if modality in o.recurrent else MeanEmbedding
            self.embeddings[modality] = kind(features, sizes[modality], o)
        return sizes

    @abstractmethod
    def fuse(self, vectors: list[Tensor]) -> Tensor:
        """Vectors `(B, d_m + 1)`, each with its 1 in front, to raw outputs `(B, C)`."""

    def forward(self, batch: Batch, detail: bool = False) -> FusionOutput:
        batch = self.admit(batch)
        present = self.presence(batch).unbind(dim=1)
        vectors = {}
        for (modality, embedding), some in zip(self.embeddings.items(), present, strict=True):
            # Only its 1 is left of a modality that is absent: the terms of the others remain.
            vector = embedding(*self.take(batch, modality)) * some[:, None]
            vectors[modality] = F.pad(vector, (1, 0), value=1.0)
        latents = {m: vector[:, None, 1:] for m, vector in vectors.items()} if detail else None
        prediction = self.fuse(list(vectors.values()))
        return FusionOutput(prediction, *self.even_gate(batch), latents=latents)


class TFNOptions(EmbeddingOptions):
    """Options of TFN.

    Attributes:
        hidden: width of the two layers after fusion, the MMSA toolkit's for CMU-MOSI. With the
            paper's, 128, TFN has 18M parameters instead of 4.7M.
        fusion_dropout: on the tensor, from there too.
        entries: most entries of the tensor. The paper's has 140,481. With more modalities, or
            wider ones, the widest vectors are narrowed to one width at which the tensor fits.
    """

    hidden: Annotated[int, Range(16, 128, step=16)] = Field(32, ge=1)
    fusion_dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.2, ge=0, lt=1)
    entries: int = Field(150_000, ge=4)


@register_model("tfn")
class TFN(_VectorFusion):
    """TFN, the Tensor Fusion Network: a network on the outer product of all modalities.

    Sections 4.1 (one vector a modality), 4.2 (the product) and 4.3 (two layers after it). The
    paper bounds the answer by a sigmoid; here the task decodes it.

    Raises:
        InputError: fewer than two modalities, or so many that even vectors of width 1 do not fit.
    """

    Options = TFNOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: TFNOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("tfn", widths)
        sizes = self.embed(options.entries)
        entries, hidden = _entries(sizes.values()), options.hidden
        self.inference = nn.Sequential(
            Dropout(options.fusion_dropout),
            *(nn.Linear(entries, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, outputs),
        )

    def fuse(self, vectors: list[Tensor]) -> Tensor:
        answer: Tensor = self.inference(outer_product(vectors))
        return answer


class LMFOptions(EmbeddingOptions):
    """Options of LMF.

    Attributes:
        recurrent_output: half the LSTM's width, as in the MMSA toolkit.
        dropout: the MMSA toolkit's for LMF on CMU-MOSI, as is
        rank: of the weight tensor.
    """

    recurrent_output: Annotated[int, Range(16, 128, step=16)] = Field(64, ge=1)
    dropout: Annotated[float, Range(0.0, 0.6)] = Field(0.3, ge=0, lt=1)
    rank: Annotated[int, Range(2, 8)] = Field(4, ge=1)


@register_model("lmf")
class LMF(_VectorFusion):
    """LMF, Low-rank Multimodal Fusion: TFN's product under a weight tensor of low rank.

    The tensor is never made: with factors w_r^m the answer is sum_r a_r prod_m (w_r^m z_m) + b
    (section 3.3; the weights a_r and the bias b are the public code's). Its size grows
    by the sum of the widths, not by their product.
    """

    Options = LMFOptions

    def __init__(self, widths: Mapping[str, int], outputs: int, options: LMFOptions) -> None:
        super().__init__(widths, outputs, options)
        require_several("lmf", widths)
        sizes = self.embed()
        self.factors = nn.ParameterList(
            nn.init.xavier_normal_(torch.empty(options.rank, size + 1, outputs))
            for size in sizes.values()
        )
        self.mix = nn.Parameter(nn.init.xavier_normal_(torch.empty(1, options.rank)))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def fuse(self, vectors: list[Tensor]) -> Tensor:
        parts = [
            torch.einsum("bd,rdc->brc", vector, factor)
            for vector, factor in zip(vectors, self.factors, strict=True)
        ]
        return (self.mix @ torch.stack(parts).prod(dim=0))[:, 0] + self.bias


def outer_product(vectors: list[Tensor]) -> Tensor:
    """Vectors `(B, n_m)` to their outer product, flattened: `(B, prod n_m)`, the last fastest."""
    product = vectors[0]
    for vector in vectors[1:]:
        product = (product[:, :, None] * vector[:, None, :]).flatten(1)
    return product


def _entries(sizes: Iterable[int]) -> int:
    return prod(size + 1 for size in sizes)


def _fitting(sizes: dict[str, int], most: int) -> dict[str, int]:
    for limit in range(max(sizes.values()), 0, -1):
        narrowed = {m: min(size, limit) for m, size in sizes.items()}
        if _entries(narrowed.values()) <= most:
            return narrowed
    raise InputError(
        f"tfn on {len(sizes)} modalities: their outer product has more than {most:,} entries",
        remedy="take fewer modalities, or lmf, which does not make it",
    )
