"""Settings of a run: a corpus' preset, then the user's `key=value`, checked against every option.

A key belongs to the corpus reader, else to training or the model; each knows its own, so a user
writes `epochs=5` without saying whose it is. `model.key=value` sets it for one model alone, also
where the reader has a key of that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from affuse.config import parse_options
from affuse.corpora.registry import resolve
from affuse.errors import unknown_name
from affuse.models import models
from affuse.train.options import TrainOptions

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Preset:
    """Settings for a corpus: `shared` by all models, and `models` for one each."""

    shared: Settings
    models: Mapping[str, Settings]


def load_preset(corpus: str) -> Preset:
    """The preset of a corpus by its registered name; `default` where it has none."""
    folder = files("affuse.train") / "presets"
    file = folder / f"{corpus}.yaml"
    text = (file if file.is_file() else folder / "default.yaml").read_text()
    content = yaml.safe_load(text) or {}
    return Preset(content.get("shared", {}), content.get("models", {}))


@dataclass(frozen=True)
class Plan:
    """What one model needs to be trained: options of training and of the model."""

    model: str
    train: TrainOptions
    options: dict[str, Any]


def corpus_options(corpus: str, settings: Settings) -> dict[str, Any]:
    """The reader's options: those of the preset and of `settings` that are the reader's."""
    entry, _ = resolve(corpus)
    merged = {**load_preset(entry.name).shared, **settings}
    return {key: value for key, value in merged.items() if key in entry.options.model_fields}


def plan(corpus: str, model: str, settings: Settings) -> Plan:
    """Options for `model` on `corpus`: defaults, preset, then `settings`.

    Raises:
        InputError: a key that no reader, training or model option has, or a value out of range.
    """
    entry, _ = resolve(corpus)
    base = model.partition(":")[0]
    if base not in models():
        raise unknown_name("model", base, models())
    check_keys(corpus, settings)
    preset = load_preset(entry.name)
    own = {k.partition(".")[2]: v for k, v in settings.items() if k.startswith(f"{base}.")}
    reader = entry.options.model_fields
    shared, asked = (
        {k: v for k, v in values.items() if k not in reader} for values in (preset.shared, settings)
    )
    merged = {**shared, **preset.models.get(base, {}), **asked, **own}
    fields = models()[base].cls.Options.model_fields
    train = {k: v for k, v in merged.items() if k in TrainOptions.model_fields}
    options = {k: v for k, v in merged.items() if k in fields}
    parse_options(models()[base].cls.Options, options, source=f"{corpus}, {model}")
    return Plan(model, parse_options(TrainOptions, train, source=f"{corpus}, {model}"), options)


def check_keys(corpus: str, settings: Iterable[str]) -> None:
    """Raise `InputError` for a key that nothing on this corpus knows."""
    entry, _ = resolve(corpus)
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
