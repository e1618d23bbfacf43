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
from typing import Any

from affuse.config import parse_options, read_yaml
from affuse.errors import unknown_name
from affuse.fusion import models
from affuse.readers.registry import CorpusEntry, corpora, resolve
from affuse.training.options import TrainOptions

Settings = Mapping[str, Any]


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


@dataclass(frozen=True)
class _Chosen:
    """What a corpus is read with, its preset, and every key that is a reader's."""

    entry: CorpusEntry
    preset: Preset
    readers: frozenset[str]


def _choose(corpus: str, data: Path | None) -> _Chosen:
    entry, path = resolve(corpus)
    where = path or data
    name = entry.name if where is None else entry.preset(where)
    # A corpus that was stored has been read: what its preset says to its own reader is done.
    origin = corpora().get(name.partition("-")[0], entry)
    readers = {*entry.options.model_fields, *origin.options.model_fields}
    return _Chosen(entry, load_preset(name), frozenset(readers))


@dataclass(frozen=True)
class Plan:
    """What one model needs to be trained: options of training and of the model."""

    model: str
    train: TrainOptions
    options: dict[str, Any]


def corpus_options(corpus: str, settings: Settings, data: Path | None = None) -> dict[str, Any]:
    """The reader's options: those of the preset and of `settings` that are the reader's."""
    chosen = _choose(corpus, data)
    merged = {**chosen.preset.shared, **settings}
    return {k: v for k, v in merged.items() if k in chosen.entry.options.model_fields}


def plan(corpus: str, model: str, settings: Settings, data: Path | None = None) -> Plan:
    """Options for `model` on `corpus`: defaults, preset, then `settings`.

    Args:
        corpus: a registered name, or the path of a corpus' file or folder.
        model: a registered name.
        settings: what the user gave.
        data: where the corpus lies, for a name that needs it.

    Raises:
        InputError: a key that no reader, training or model option has, or a value out of range.
    """
    base = model.partition(":")[0]
    if base not in models():
        raise unknown_name("model", base, models())
    check_keys(corpus, settings)
    chosen = _choose(corpus, data)
    own = {k.partition(".")[2]: v for k, v in settings.items() if k.startswith(f"{base}.")}
    shared = {k: v for k, v in chosen.preset.shared.items() if k not in chosen.readers}
    asked = {k: v for k, v in settings.items() if k not in chosen.entry.options.model_fields}
    merged = {**shared, **chosen.preset.models.get(base, {}), **asked, **own}
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
