"""Settings of a run: a corpus' preset, then the user's `key=value`, checked against every option.

A key belongs to the corpus reader, else to training or the model; each knows its own, so a user
writes `epochs=5` without saying whose it is. `model.key=value` sets it for one model alone, also
where the reader has a key of that name.

A preset is a file in `presets`, named after the reader, or after reader and published corpus
(`mult-mosei`) where papers give settings for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, model_validator

from affuse.config import Choice, Options, Range, parse_options, read_yaml
from affuse.errors import unknown_name
from affuse.fusion import models
from affuse.readers.registry import CorpusEntry, corpora, resolve
from affuse.samples import Corpus
from affuse.training.fold_settings import every_key, of_fold, plain
from affuse.training.normalise import NormaliseMode

Pretrain = Literal["none", "tuned", "frozen"]


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
        pretrain: whether each modality's encoder and head first learn alone, as `unimodal` does;
            then they are `tuned` with the rest of the model, or stay `frozen`. For models whose
            encoders are of that kind (`affuse.training.pretrain`).
        alone: whether a model of one modality learns what that modality should say by itself, where
            somebody told it (`Sample.unimodal`), as what `pretrain` trains first does.
        init: folder or name of a checkpoint whose weights training begins with, where they fit;
            `shipped` is the one that comes with affuse, if it reads the same features; see
            `affuse.training.transfer`.
        distil: members of a teacher, of the same model, that is trained first; what is kept has
            learnt from it (`affuse.training.distil`). 0 trains without one.
        teacher: folder of a checkpoint to learn from instead.
        distil_share: of the loss that is the teacher's.
        distil_temperature: by which probabilities are softened where classes are taught.
        label_smoothing: of classification, in training only.
        balance: how much is made up for how rare a class is: 0 learns the shares of the training
            part, 1 answers as if all were equally many (`affuse.training.losses`).
        normalise: `train` fits mean and scale on the training split; `speaker` first normalises
            each speaker by all of that speaker's clips, without labels; `none`.
        noise: modality to the standard deviation of noise added to every value in training.
        shift: modality to the standard deviation of one offset a sample and feature, as a speaker
            or a microphone causes.
        time_mask: modality to the longest share of a sequence that is hidden, twice a sample.
        modality_dropout: share of whole modalities hidden in training, never a sample's last; of
            a model that has an option of this name, that option instead.
        spoil: share of training samples in which one modality is spoilt (`affuse.training.spoil`).
        ogm_ge: alpha, by which encoders that run ahead are slowed (`affuse.training.balance`), of
            models with answers of each modality; 0 does not.
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
    balance: float = Field(0.0, ge=0, le=1)
    pretrain: Pretrain = "none"
    alone: bool = False
    init: str = ""
    distil: int = Field(0, ge=0)
    teacher: str = ""
    distil_share: float = Field(0.5, ge=0, le=1)
    distil_temperature: float = Field(2.0, gt=0)
    normalise: NormaliseMode = "train"
    noise: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    shift: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    time_mask: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    modality_dropout: float = Field(0.0, ge=0, lt=1)
    spoil: float = Field(0.0, ge=0, le=1)
    ogm_ge: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _one_teacher(self) -> TrainOptions:
        if self.distil and self.teacher:
            raise ValueError("distil trains a teacher, and teacher names one")
        return self


Settings = Mapping[str, Any]
HIDDEN = "modality_dropout"
STORED = "stored"
"""The reader that a corpus in memory counts as: it has been read."""


@dataclass(frozen=True)
class Preset:
    """Settings for a corpus: `shared` by all models, and `models` for one each."""

    shared: Settings
    models: Mapping[str, Settings]


def load_preset(name: str) -> Preset:
    """The preset of that name, such as `mult-mosei`; else of its reader, `mult`; else `default`."""
    known = {file.stem: file for file in Path(__file__).with_name("presets").iterdir()}
    file = next(known[n] for n in (name, name.partition("-")[0], "default") if n in known)
    content = read_yaml(file, "is not a preset", "install affuse again")
    return Preset(content.get("shared", {}), content.get("models", {}))


def _choose(corpus: str | Corpus, data: Path | None) -> tuple[CorpusEntry, Preset, set[str]]:
    """What a corpus is read with, its preset, and every key that is a reader's."""
    if isinstance(corpus, Corpus):
        entry, name = corpora()[STORED], corpus.preset
    else:
        entry, path = resolve(corpus, data)
        where = path or data
        name = entry.name if where is None else entry.preset(where)
    # A corpus that was stored has been read: what its preset says to its own reader is done.
    origin = corpora().get(name.partition("-")[0], entry)
    return entry, load_preset(name), {*entry.options.model_fields, *origin.options.model_fields}


@dataclass(frozen=True)
class Plan:
    """What one model needs to be trained: options of training and of the model."""

    model: str
    train: TrainOptions
    options: dict[str, Any]

    @property
    def epochs(self) -> int:
        """At most, those of a teacher included."""
        return self.train.epochs * (2 if self.train.distil else 1)


def corpus_options(corpus: str, settings: Settings, data: Path | None = None) -> dict[str, Any]:
    """The reader's options: those of the preset and of `settings` that are the reader's."""
    entry, preset, _ = _choose(corpus, data)
    merged = {**preset.shared, **plain(settings)}
    return {k: v for k, v in merged.items() if k in entry.options.model_fields}


def plan(
    corpus: str | Corpus,
    model: str,
    settings: Settings,
    data: Path | None = None,
    fold: int = 0,
) -> Plan:
    """Options for `model` on `corpus`: defaults, preset, then `settings`.

    Args:
        corpus: a registered name, the path of a corpus' file or folder, or one in memory.
        model: a registered name.
        settings: what the user gave.
        data: where the corpus lies, for a name that needs it.
        fold: on which it trains, where settings differ by fold.

    Raises:
        InputError: a key that no reader, training or model option has, or a value out of range.
    """
    base = model.partition(":")[0]
    if base not in models():
        raise unknown_name("model", base, models())
    check_keys(corpus, every_key(settings))
    settings = of_fold(settings, fold)
    entry, preset, readers = _choose(corpus, data)
    own = {k.partition(".")[2]: v for k, v in settings.items() if k.startswith(f"{base}.")}
    shared = {k: v for k, v in preset.shared.items() if k not in readers}
    asked = {k: v for k, v in settings.items() if k not in entry.options.model_fields}
    name = corpus.name if isinstance(corpus, Corpus) else corpus
    merged = {**shared, **preset.models.get(base, {}), **asked, **own}
    fields = models()[base].cls.Options.model_fields
    train = {k: v for k, v in merged.items() if k in TrainOptions.model_fields}
    if HIDDEN in fields:
        # The model hides them itself.
        train.pop(HIDDEN, None)
    options = {k: v for k, v in merged.items() if k in fields}
    parse_options(models()[base].cls.Options, options, source=f"{name}, {model}")
    return Plan(model, parse_options(TrainOptions, train, source=f"{name}, {model}"), options)


def check_keys(corpus: str | Corpus, settings: Iterable[str]) -> None:
    """Raise `InputError` for a key that nothing on this corpus knows."""
    entry = corpora()[STORED] if isinstance(corpus, Corpus) else resolve(corpus)[0]
    training = set(TrainOptions.model_fields)
    per_model = {name: training | set(m.cls.Options.model_fields) for name, m in models().items()}
    known = set(entry.options.model_fields).union(*per_model.values())
    for key in settings:
        model, dot, own = key.partition(".")
        if not dot:
            if key not in known:
                raise unknown_name("setting", key, known)
        elif model not in per_model:
            raise unknown_name("model", model, per_model, source=key)
        elif own not in per_model[model]:
            raise unknown_name(f"{model} setting", own, per_model[model])
