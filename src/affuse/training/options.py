"""How a model is trained: one options model for presets, the command line and checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat

from affuse.config import Options
from affuse.ranges import Choice, Range
from affuse.training.normalise import NormaliseMode


class TrainOptions(Options):
    """Training of one model on one split.

    Attributes:
        epochs: at most this many passes over the training split.
        batch_size: samples in a step.
        learning_rate: peak of AdamW, reached after `warmup` epochs, then a cosine to zero.
        weight_decay: of AdamW.
        warmup: epochs of linear rise.
        clip: gradient norm.
        patience: epochs without a better validation score before training stops.
        select: `best` keeps the epoch with the best validation score; `last` trains all epochs and
            keeps the last, which with the weight average is steadier where validation is small.
        average: decay a step of the weight average that is validated and kept; 0 turns it off.
        auxiliary: weight of the loss of each modality's own head.
        reliability: weight of the loss of the expected-loss heads.
        init: folder of a checkpoint whose weights training begins with, where they fit; see
            `affuse.training.transfer`.
        label_smoothing: of classification, in training only.
        normalise: `train` fits mean and scale on the training split; `speaker` first normalises
            each speaker by all of that speaker's clips, without labels; `none`.
        noise: modality to the standard deviation of noise added to every value in training.
        shift: modality to the standard deviation of one offset a sample and feature, as a speaker
            or a microphone causes.
        time_mask: modality to the longest share of a sequence that is hidden, twice a sample.
    """

    epochs: int = Field(30, ge=1)
    batch_size: Annotated[int, Choice(16, 32, 64)] = Field(32, ge=1)
    learning_rate: Annotated[float, Range(1e-4, 5e-3, log=True)] = Field(1e-3, gt=0)
    weight_decay: Annotated[float, Range(1e-4, 1e-1, log=True)] = Field(1e-2, ge=0)
    warmup: float = Field(2, ge=0)
    clip: float = Field(1.0, gt=0)
    patience: int = Field(10, ge=1)
    select: Literal["best", "last"] = "best"
    average: float = Field(0.98, ge=0, lt=1)
    auxiliary: float = Field(0.5, ge=0)
    reliability: float = Field(0.2, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    init: str = ""
    normalise: NormaliseMode = "train"
    noise: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    shift: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    time_mask: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
