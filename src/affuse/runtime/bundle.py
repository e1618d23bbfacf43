"""An exported model on disk: `model.onnx`, `config.json` and a model card, `README.md`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, PositiveInt, ValidationError

from affuse.config import invalid
from affuse.errors import InputError, file_error
from affuse.files import make_folder, to_strict_json, write_atomic
from affuse.metrics.calibration import Platt
from affuse.tasks import Task

MODEL, CONFIG, CARD = "model.onnx", "config.json", "README.md"
FORMAT = 1


class BundleConfig(BaseModel):
    """What `config.json` holds.

    Attributes:
        format: of this file.
        affuse: the version that exported.
        name: what the checkpoint is called.
        model: its registered model.
        options: of that model.
        parameters: how many it has.
        precision: of its weights.
        widths: modality to feature width D, in the order of gate and own answers.
        task: what it predicts, with labels or range; see `Task.to_config`.
        features: modality to the name and version of what extracted its features.
        clip: settings of `affuse.extract.clip.ClipExtractor`; None where features come from
            elsewhere, so that it cannot read clips.
        normalised: whether the graph standardises features itself, by the training part.
        outputs: names of what the graph gives.
        conflict: how disagreement becomes a probability, by `slope` and `offset`, told by so many
            `samples` of which a `share` holds a conflict, ranked by it with an area under the
            curve of `auroc`; None where no validation part told.
        corpus: name, fingerprint and options of what it was trained on.
        training: seed, options and selected epoch.
        terms: under which the training data was given, which bind the weights too.
    """

    format: Literal[1] = 1
    affuse: str
    name: str = Field(min_length=1)
    model: str
    options: dict[str, Any] = {}
    parameters: int
    precision: Literal["float32", "int8"] = "float32"
    widths: dict[str, PositiveInt] = Field(min_length=1)
    task: dict[str, Any]
    features: dict[str, str] = {}
    clip: dict[str, Any] | None = None
    normalised: bool
    outputs: tuple[str, ...]
    conflict: dict[str, float] | None = None
    corpus: dict[str, Any] = {}
    training: dict[str, Any] = {}
    terms: str

    def calibration(self) -> Platt | None:
        """Of the conflict score, where it was fitted."""
        if self.conflict is None:
            return None
        return Platt(self.conflict["slope"], self.conflict["offset"])


def write_bundle(folder: Path, graph: bytes, config: BundleConfig, card: str) -> None:
    """Write the three files; the config comes last, so that a folder with one is whole.

    Raises:
        InputError: the folder cannot be made or written.
    """
    make_folder(folder)
    write_atomic(folder / MODEL, graph)
    write_atomic(folder / CARD, card.encode())
    write_atomic(folder / CONFIG, to_strict_json(config.model_dump(mode="json")).encode())


def read_config(folder: Path) -> BundleConfig:
    """Read what `write_bundle` wrote.

    Raises:
        InputError: a missing, damaged or foreign file.
    """
    path = folder / CONFIG
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and "model" in content and "outputs" not in content:
            raise InputError(
                "is a checkpoint for training",
                remedy="export it first: affuse export DIR --out FOLDER",
                source=folder,
            )
        config = BundleConfig.model_validate(content)
        Task.from_config(config.task)
    except FileNotFoundError:
        raise InputError(
            "no exported model here",
            remedy="give a folder that affuse export wrote",
            source=folder,
        ) from None
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    except ValidationError as error:
        raise invalid(
            error,
            "the config of an exported model",
            remedy="copy the folder anew or export again",
            source=path,
        ) from None
    except ValueError:
        raise InputError(
            "is not JSON", remedy="copy the folder anew or export again", source=path
        ) from None
    return config


def copy_bundle(source: Path, folder: Path) -> None:
    """Copy the three files, the config last.

    Raises:
        InputError: the folder cannot be made or written.
    """
    make_folder(folder)
    for name in (MODEL, CARD, CONFIG):
        draft = folder / f".{name}.draft"
        try:
            shutil.copyfile(source / name, draft)
            draft.replace(folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise file_error(error, "cannot be written", folder / name) from None
