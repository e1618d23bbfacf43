"""What users get wrong: exit 2, one line that names it and says what to do, nothing written."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PROGRAM = Path(sys.executable).with_name("affuse")
# As in the runs that `place` holds.
SETTINGS = [
    f"--set={s}"
    for s in ("train=12", "valid=6", "test=6", "width=8", "heads=2", "members=1", "epochs=2")
]
TRAIN = ("train", "controlled", *SETTINGS)
EVALUATE = ("evaluate", "run", "controlled")
BENCHMARK = ("benchmark", "controlled", "--out", "new", *SETTINGS)


class Hostile:
    """Pickles as a call that makes a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def mult_part(rows: int = 2, **changes: Any) -> dict[str, Any]:
    part = {m: np.ones((rows, 3, 2), np.float32) for m in ("text", "audio", "vision")}
    return {**part, "labels": np.zeros((rows, 1, 1), np.float32), **changes}


def mult(rows: int = 2, **changes: Any) -> bytes:
    """A MulT pickle whose training part has `rows` samples and `changes`."""
    parts = {"valid": mult_part(), "test": mult_part()}
    return pickle.dumps({"train": mult_part(rows, **changes), **parts})


def labels(*values: float) -> dict[str, Any]:
    return {"labels": np.array(values, np.float32)[:, None, None]}


HOSTILE = pickle.dumps({"train": Hostile()})
BROKEN_PICKLES: dict[str, tuple[bytes, str]] = {
    "corrupt": (b"\x80\x04}" + b"\xff" * 40, "not a pickle, or a damaged one"),
    "truncated": (mult()[:200], "not a pickle, or a damaged one"),
    "empty": (b"", "the file is empty"),
    "of text": (b"text,label\nhello,1\n", "not a pickle"),
    "hostile": (HOSTILE, "mkdir"),
    "of a list": (pickle.dumps([1, 2]), "holds no dictionary but a list"),
    "with wrong keys": (pickle.dumps({"train": {}, "held": {}, "test": {}}), "has no 'valid'"),
    "without labels": (pickle.dumps({k: {} for k in ("train", "valid", "test")}), "has no 'text'"),
    "of wrong rank": (mult(audio=np.ones((2, 1, 1, 3), np.float32)), "has shape (2, 1, 1, 3)"),
    "of unequal counts": (mult(**labels(0)), "different numbers of samples"),
    "of unequal widths": (mult(text=np.ones((2, 3, 7), np.float32)), "'valid' has text of width"),
    "of text features": (mult(vision=np.array([["a"]])), "'vision' is an array"),
    "with a nan label": (mult(**labels(0, np.nan)), "label 1 is not finite"),
    "with an infinite label": (mult(**labels(np.inf, 0)), "label 0 is not finite"),
    "with a label out of range": (mult(**labels(0, 7)), "label 1 is 7, outside [-3, 3]"),
    "with an empty split": (mult(0), "the split is empty"),
}


@pytest.mark.parametrize("name", BROKEN_PICKLES)
def test_a_broken_pickle(place: Path, affuse, contents, assert_one_line, name: str) -> None:
    content, problem = BROKEN_PICKLES[name]
    (place / f"{name}.pkl").write_bytes(content)
    before = contents()
    done = affuse("train", f"{name}.pkl", "--out", "new")
    assert_one_line(done.status, done.err, (f"{name}.pkl", problem))
    assert contents() == before


@dataclass(frozen=True)
class Case:
    """A command, and words of its error: what is named, the problem, the remedy."""

    arguments: tuple[str, ...]
    says: tuple[str, ...]


def case(*arguments: str, says: tuple[str, ...]) -> Case:
    return Case(arguments, says)


CASES = [
    # Names and places
    case("train", "controled", "--out", "new", says=("'controled'", "did you mean 'controlled'?")),
    case("train", "absent.pkl", "--out", "new", says=("absent.pkl", "no such file", "check")),
    case(
        "train",
        "notes/",
        "--out",
        "new",
        says=("notes", "a folder of no known format", "name the corpus"),
    ),
    case("train", "iemocap", "--out", "new", says=("'iemocap' needs its data", "--data")),
    case("train", "mosi", "--out", "new", says=("mosi/utterances.npz", "use the complete file")),
    case("train", "mosi", "--data", "no", "--out", "new", says=("no: no such file", "check")),
    case("train", "mosi", "--data", "notes", "--out", "new", says=("notes/utterances.npz", "give")),
    case(
        "train", "mosi", "--data", "mosi", "--out", "new", says=("utterances.npz", "has no array")
    ),
    case(
        *("train", "mosi", "--data", "good.pkl", "--out", "new"),
        says=("good.pkl", "cannot be read", "npz"),
    ),
    case(
        *("train", "ravdess", "--data", "ravdess", "--out", "new"),
        says=("ravdess/audio", "no RAVDESS speech clips", "give the folder"),
    ),
    case(
        *("train", "ravdess", "--data", "ravdess-mute", "--out", "new"),
        says=("au_mfcc.npz", "no such file", "put"),
    ),
    case(*TRAIN, "--out", "new", "--data", "good.pkl", says=("good.pkl", "leave the path out")),
    # Devices
    case(*TRAIN, "--out", "new", "--device", "cuda:99", says=("'cuda:99'", "choose one of: auto")),
    case(*EVALUATE, "--device", "gpu", says=("no device 'gpu'", "choose one of: auto", "cpu")),
    case(
        *("explain", "run", "controlled", "--out", "new.html", "--device", "cuda:99"),
        says=("no device 'cuda:99'", "choose one of: auto"),
    ),
    case(*BENCHMARK, "--device", "tpu", says=("no device 'tpu'", "choose one of: auto")),
    case(*TRAIN, "--out", "new", "--accelerator", "tpu", says=("unknown accelerator 'tpu'",)),
    case(*TRAIN, "--out", "new", "--strategy", "fsdp", says=("unknown strategy 'fsdp'",)),
    case(*TRAIN, "--out", "new", "--precision", "bf16", says=("did you mean 'bf16-mixed'?",)),
    case(*TRAIN, "--out", "new", "--nodes", "2", says=("2 nodes", "set MASTER_ADDR")),
    case(*BENCHMARK, "--nodes", "2", says=("2 nodes for each of many runs",)),
    case(*TRAIN, "--out", "new", "--log", "csv,tensorbord", says=("did you mean 'tensorboard'?",)),
    case(*("tune", "controlled", "--log", "csv"), says=("logs of what is not kept", "--out")),
    case("predict", "clip.mp4", "--device", "tpu", says=("unknown device 'tpu'",)),
    case("ablate", "controlled", "--out", "new", "--device", "tpu", says=("'tpu'", "choose one")),
    case(
        *("tune", "controlled", "--out", "new.yaml", "--device", "tpu"),
        says=("no device 'tpu'", "choose one of: auto"),
    ),
    # Models and settings
    case(*TRAIN, "--out", "new", "--model", "hct_gm", says=("'hct_gm'", "did you mean 'hct_mg'?")),
    case(*TRAIN, "--out", "new", "--model", "unimodal:smell", says=("'smell'", "choose one of")),
    case(*TRAIN, "--out", "new", "--set", "epoch=3", says=("'epoch'", "did you mean 'epochs'?")),
    case(*TRAIN, "--out", "new", "--set", "epochs=0", says=("'epochs' = 0", "greater", "give it")),
    case(*TRAIN, "--out", "new", "--set", "width=7", says=("width 7", "heads 2", "change one")),
    case(*TRAIN, "--out", "new", "--set", "epochs", says=("'epochs'", "key=value", "write")),
    case(*TRAIN, "--out", "new", "--set", "gate={", says=("gate={", "cannot be read", "quote")),
    case(*TRAIN, "--out", "new", "--set", "gate=fixed:smell", says=("'smell'", "choose one of")),
    case(*TRAIN, "--out", "new", "--set", "shift={vison: 1}", says=("shift", "'vision'?")),
    case(
        *TRAIN, "--out", "new", "--set", "normalise=speaker", says=("no group", "normalise=train")
    ),
    case(*TRAIN, "--out", "new", "--set", "init=notes", says=("notes: no checkpoint here", "give")),
    case(
        *(*TRAIN, "--out", "new", "--set", "init=run", "--set", "seed=1"),
        says=("run: it was trained on", "may hold test samples", "begin with"),
    ),
    case(*TRAIN, "--out", "new", "--fold", "1", says=("--fold", "has 1 fold", "give")),
    case("models", "--widths", "text", says=("--widths", "'text'", "write, for example")),
    case("models", "--widths", "text=0", says=("--widths", "'text=0'", "write, for example")),
    case("models", "--set", "widht=3", says=("'widht'", "did you mean 'width'?")),
    # Folders of other work
    case(*TRAIN, "--out", "notes", says=("notes: exists and holds something else", "give")),
    case(*TRAIN, "--out", "good.pkl", says=("good.pkl: exists and holds something else", "give")),
    case(*TRAIN, "--out", "good.pkl/new", says=("good.pkl/new: cannot be made", "give")),
    case(*TRAIN, "--out", "run", says=("run: holds a run already", "add --resume")),
    case(*TRAIN, "--out", "stopped", says=("stopped: holds a run already", "add --resume")),
    case(
        *(*TRAIN, "--out", "stopped", "--resume", "--set", "epochs=3"),
        says=("stopped", "another train.epochs", "give another folder"),
    ),
    case(
        *TRAIN, "--out", "stopped", "--resume", "--set", "seed=1", says=("another corpus", "give")
    ),
    case(
        *(*TRAIN, "--out", "damaged-state", "--resume"),
        says=("damaged-state/training/last.ckpt", "cannot be read", "delete it"),
    ),
    case(*TRAIN, "--out", "damaged-weights", "--resume", says=("model.safetensors", "train again")),
    case(*BENCHMARK, "--out", "notes", says=("notes: exists and holds something else", "give")),
    case("demo", "--out", "notes", *SETTINGS, says=("notes: exists and holds something", "give")),
    # Checkpoints
    case("evaluate", "absent", "controlled", says=("absent: no checkpoint here", "give a folder")),
    case("evaluate", "notes", "controlled", says=("notes: no checkpoint here", "give a folder")),
    case(
        "evaluate", "stopped", "controlled", says=("stopped: no checkpoint here", "give a folder")
    ),
    case("evaluate", "damaged-config", "controlled", says=("config.json", "copy")),
    case(
        "evaluate", "foreign-config", "controlled", says=("config.json", "entry 'format'", "copy")
    ),
    case("evaluate", "damaged-weights", "controlled", says=("model.safetensors", "copy")),
    case("evaluate", "run", "narrow.pkl", says=("run", "text of width", "narrow", "has 2", "read")),
    case(
        *("evaluate", "run", "emotions.pkl"),
        says=("run: the checkpoint predicts Regression", "holds BinaryLabels", "use a corpus"),
    ),
    case(*EVALUATE, "--set", "epochs=3", says=("unknown option 'epochs'", "did you mean")),
    case(*EVALUATE, "--set", "lenght=3", says=("'lenght'", "did you mean 'length'?")),
    case(*EVALUATE, "--json", "absent/x.json", says=("absent/x.json", "cannot be written", "give")),
    case(*EVALUATE, "--json", "notes", says=("notes", "cannot be written", "give a file")),
    # Benchmarks
    case(
        *BENCHMARK, "--json", "absent/x.json", says=("absent/x.json", "cannot be written", "give")
    ),
    case(*BENCHMARK, "--csv", "absent/x.csv", says=("absent/x.csv", "cannot be written", "give")),
    case(
        *(*BENCHMARK, "--models", "hct_mg,mult", "--set", "init=damaged-weights"),
        says=("damaged-weights/model.safetensors", "train again"),
    ),
    case(*BENCHMARK, "--models", "hct_mg,raven", says=("'raven'", "choose one of")),
    case(*BENCHMARK, "--models", "unimodal:smell", says=("'smell'", "choose one of")),
    case(*BENCHMARK, "--models", ",", says=("no models to compare", "name one")),
    case(*BENCHMARK, "--set", "mult.epoch=3", says=("'epoch'", "did you mean 'epochs'?")),
    case(*BENCHMARK, "--set", "gate=fixed:smell", says=("'smell'", "choose one of")),
]


@pytest.mark.parametrize("bad", CASES, ids=lambda c: " ".join(c.arguments[:1] + c.arguments[-3:]))
def test_one_line_and_nothing_written(affuse, contents, assert_one_line, bad: Case) -> None:
    before = contents()
    done = affuse(*bad.arguments)
    assert_one_line(done.status, done.err, bad.says)
    assert done.out == "" or bad.arguments[0] == "demo"  # which first says what it shows
    assert contents() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "controlled"),
        ("train", "--out", "new"),
        ("train", "controlled", "--out", "new", "--seed", "-1"),
        ("train", "controlled", "--out", "new", "--threads", "0"),
        ("train", "controlled", "--outt", "new"),
        ("benchmark", "controlled", "--seeds", "0"),
        ("benchmark", "controlled", "--seeds", "many"),
        ("benchmark", "controlled", "--jobs", "0"),
        ("demo", "--seeds", "0"),
        ("models", "--outputs", "0"),
        ("evaluate", "run"),
        ("trian", "controlled"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_explained(affuse, contents, arguments: tuple[str, ...]) -> None:
    before = contents()
    done = affuse(*arguments)
    assert done.status == 2
    assert "Usage: affuse" in done.err
    assert "Traceback" not in done.err
    assert contents() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("corpus", "inspect", "hostile.pkl"), ("hostile.pkl", "mkdir")),
        (("evaluate", "damaged-config", "controlled"), ("damaged-config/config.json", "copy")),
    ],
)
def test_so_does_the_installed_program(
    place: Path, contents, assert_one_line, arguments: tuple[str, ...], says: tuple[str, ...]
) -> None:
    (place / "hostile.pkl").write_bytes(HOSTILE)
    before = contents()
    done = subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert_one_line(done.returncode, done.stderr, says)
    assert done.stdout == ""
    assert contents() == before


def test_the_list_covers_what_it_promises() -> None:
    assert len(CASES) >= 30
    assert len({case.arguments for case in CASES}) == len(CASES)
