"""An exported model: on disk `model.onnx`, `config.json` and a model card, and in onnxruntime.

Samples in, arrays out, without torch.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
)

from affuse.config import invalid
from affuse.errors import InputError, file_error, first_line
from affuse.extract.adaptation import Usual
from affuse.files import make_folder, to_strict_json, write_atomic
from affuse.metrics.calibration import Platt
from affuse.onnx_devices import AUTO, open_session
from affuse.optional import require
from affuse.runtime.contradiction import Measure
from affuse.samples import Sample, pad_sequences, require_finite
from affuse.tasks import Floats, Task

MODEL, CONFIG, CARD = "model.onnx", "config.json", "README.md"
TELLING = 0.7
"""The area under the ROC curve, on the validation part, from which on a conflict score is shown."""
ANY = "any"
"""In `BundleConfig.conflict`: whichever modalities are there."""
_AGAIN = "copy the folder anew or export again"


class BundleConfig(BaseModel):
    """What `config.json` holds."""

    format: Literal[1] = 1
    affuse: str  # the version that exported
    name: str = Field(min_length=1)  # what the checkpoint is called
    # The registered model and its options.
    model: str
    options: dict[str, Any] = {}
    parameters: int  # how many it has
    precision: Literal["float32", "int8"] = "float32"  # of its weights
    # Modality to feature width D, in the order of gate and own answers.
    widths: dict[str, PositiveInt] = Field(min_length=1)
    task: dict[str, Any]  # what it predicts, with labels or range; see `Task.to_config`
    features: dict[str, str] = {}  # modality to the name and version of what extracted its features
    # Settings of `affuse.extract.clip.ClipExtractor`; None where features come from elsewhere, so
    # that it cannot read clips.
    clip: dict[str, Any] | None = None
    normalised: bool  # whether the graph standardises features itself, by the training part
    outputs: tuple[str, ...]  # names of what the graph gives
    # How disagreement becomes a probability, by which modalities are there (or `ANY`); empty where
    # no validation part told.
    conflict: dict[str, dict[str, float]] = {}
    conflict_by: Measure = "disagreement"  # what becomes one
    # By which modalities are there, joined by "+", fitted on the validation part: what logits are
    # divided by so that probabilities are as frequent as they say, and half the width of an
    # interval that holds four of five values.
    temperature: dict[str, PositiveFloat] = {}
    interval: dict[str, NonNegativeFloat] = {}
    # Modality to what training had in common, where it heard utterances taken there
    # (`affuse.extract.adaptation.Usual`).
    usual: dict[str, dict[str, Any]] = {}
    corpus: dict[str, Any] = {}  # name, fingerprint and options of what it was trained on
    training: dict[str, Any] = {}  # seed, options and selected epoch
    terms: str  # under which the training data was given, which bind the weights too

    @field_validator("conflict", mode="before")
    @classmethod
    def _for_any(cls, conflict: Any) -> Any:
        """Exports once had one map for all clips, or none."""
        if conflict is None:
            return {}
        return {ANY: conflict} if isinstance(conflict, dict) and "slope" in conflict else conflict

    def tells_conflict(self, there: str = ANY) -> bool:
        """Whether the score was found to tell conflicts; where nobody looked, it may."""
        return not self._conflict(there) or self.conflict_auroc(there) >= TELLING

    def conflict_auroc(self, there: str) -> float:
        """How well it tells them, in [0, 1]; 0 where nobody looked."""
        return self._conflict(there).get("auroc", 0.0)

    def calibration(self, there: str) -> Platt | None:
        """Of the conflict score where those modalities are there, if it was fitted."""
        fitted = self._conflict(there)
        return Platt(fitted["slope"], fitted["offset"]) if fitted else None

    def _conflict(self, there: str) -> dict[str, float]:
        return self.conflict.get(there) or self.conflict.get(ANY, {})


def named(modalities: Iterable[str]) -> str:
    """Which modalities are there, as `temperature`, `interval` and `conflict` name it."""
    return "+".join(modalities)


def write_bundle(folder: Path, graph: bytes, config: BundleConfig, card: str) -> None:
    """Write the three files; the config comes last, so that a folder with one is whole."""
    make_folder(folder)
    write_atomic(folder / MODEL, graph)
    write_atomic(folder / CARD, card.encode())
    write_atomic(folder / CONFIG, to_strict_json(config.model_dump(mode="json")).encode())


def read_config(folder: Path) -> BundleConfig:
    """Read what `write_bundle` wrote; `InputError` for a missing, damaged or foreign file."""
    path = folder / CONFIG
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and "model" in content and "outputs" not in content:
            remedy = "export it first: affuse export DIR --out FOLDER"
            raise InputError("is a checkpoint for training", remedy=remedy, source=folder)
        config = BundleConfig.model_validate(content)
        Task.from_config(config.task)
    except FileNotFoundError:
        remedy = "give a folder that affuse export wrote"
        raise InputError("no exported model here", remedy=remedy, source=folder) from None
    except OSError as error:
        raise file_error(error, "cannot be read", path) from None
    except ValidationError as error:
        what = "the config of an exported model"
        raise invalid(error, what, remedy=_AGAIN, source=path) from None
    except ValueError:
        raise InputError("is not JSON", remedy=_AGAIN, source=path) from None
    return config


def copy_bundle(source: Path, folder: Path) -> None:
    """Copy the three files, the config last."""
    make_folder(folder)
    for name in (MODEL, CARD, CONFIG):
        draft = folder / f".{name}.draft"
        try:
            shutil.copyfile(source / name, draft)
            draft.replace(folder / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise file_error(error, "cannot be written", folder / name) from None


@dataclass(frozen=True)
class Outputs:
    """What a model says of N samples over M modalities."""

    prediction: Floats  # raw outputs `(N, C)`
    gate: Floats  # weights `(N, M)`
    primary: NDArray[np.integer[Any]]  # index `(N,)` of the modality that leads
    # Raw outputs `(N, M, C)` of each modality alone, where the model has them.
    unimodal: Floats | None


class Session:
    """An exported model that is ready to answer.

    Args:
        folder: what `affuse export` wrote.
        threads: of onnxruntime. One is best beside the extraction of the next clip; two gain where
            nothing else runs and sequences are long.
        device: of onnxruntime (`affuse.onnx_devices`).

    Raises:
        InputError: onnxruntime is not installed or has no such device, or the folder is none or
            damaged.
    """

    def __init__(self, folder: Path, threads: int = 1, device: str = AUTO) -> None:
        self.folder = folder
        self.config: BundleConfig = read_config(folder)
        self.task = Task.from_config(self.config.task)
        self.modalities = tuple(self.config.widths)
        self.usual = {m: Usual.from_dict(kept) for m, kept in self.config.usual.items()}
        self._session = _open(folder / MODEL, threads, device)
        self._inputs = {given.name for given in self._session.get_inputs()}

    def run(self, samples: Sequence[Sample]) -> Outputs:
        """The answers for samples, padded to one batch; they do not depend on each other.

        Raises:
            InputError: no samples, or one that the model cannot read.
        """
        if not samples:
            raise InputError("a batch of no samples", remedy="give at least one sample")
        for sample in samples:
            self._check(sample)
        feeds: dict[str, NDArray[Any]] = {}
        for modality, width in self.config.widths.items():
            sequences = [sample.sequences.get(modality) for sample in samples]
            lengths = np.array([0 if x is None else len(x) for x in sequences])
            feeds[modality] = features = pad_sequences(sequences, width)
            feeds[f"{modality}.mask"] = np.arange(features.shape[1]) < lengths[:, None]
        # The exporter leaves out what a model does not read.
        feeds = {name: value for name, value in feeds.items() if name in self._inputs}
        names = self.config.outputs
        found = dict(zip(names, self._session.run(list(names), feeds), strict=True))
        return Outputs(found["prediction"], found["gate"], found["primary"], found.get("unimodal"))

    def _check(self, sample: Sample) -> None:
        present = sample.keep(self.modalities).sequences
        if not present:
            remedy = f"give at least one of: {', '.join(self.modalities)}"
            raise InputError(f"sample '{sample.id}' has no modality with data", remedy=remedy)
        for modality, sequence in present.items():
            width, found = self.config.widths[modality], sequence.shape[1]
            problem = f"sample '{sample.id}' has {modality} "
            if found != width:
                remedy = f"extract it with: {self.config.features.get(modality, 'its features')}"
                problem += f"of width {found}, '{self.config.name}' reads {width}"
                raise InputError(problem, remedy=remedy)
            require_finite(sample, modality)


def _open(path: Path, threads: int, device: str) -> Any:
    onnxruntime = require("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What waits for work by spinning takes a core from whatever decodes the next clip.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return open_session(path.read_bytes(), options, device)
    except InputError:
        raise
    except Exception as error:  # its classes are not public, and a damaged file raises any
        problem = f"cannot be loaded ({first_line(error)})"
        raise InputError(problem, remedy=_AGAIN, source=path) from None
