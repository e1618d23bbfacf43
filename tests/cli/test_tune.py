"""`affuse tune` as a user types it, and `--settings` with what it wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from affuse.cli.common import parse_settings
from affuse.errors import InputError
from affuse.training.presets import plan

SIZES = {"train": 24, "valid": 12, "test": 12}
SETTINGS = [*(f"--set={key}={value}" for key, value in SIZES.items()), "--set=epochs=2"]


@pytest.mark.slow
def test_it_writes_settings_that_train_and_benchmark_take(affuse, tmp_path: Path) -> None:
    out, as_json, run = tmp_path / "tuned.yaml", tmp_path / "tuned.json", tmp_path / "run"
    space = tmp_path / "space.yaml"
    space.write_text("width: {low: 8, high: 16}\nheads: [2, 4]\nmfn.memory: [8, 16]\n")
    done = affuse(
        *("tune", "controlled", "--models", "concat,mfn", "--trials", "2", *SETTINGS),
        *("--space", str(space), "--out", str(out), "--json", str(as_json), "--jobs", "2"),
    )
    assert done.status == 0, done.err
    content = json.loads(as_json.read_text())
    assert content["metric"] == "mae"
    assert (content["trials"], content["fold"]) == (2, 0)
    written = yaml.safe_load(out.read_text())
    assert written.items() >= {**SIZES, "concat.epochs": 2, "mfn.epochs": 2}.items()
    for name in ("concat", "mfn"):
        known = content["models"][name]
        assert len(known["trials"]) == 2
        assert known["best"] in known["trials"]
        assert known["best"]["value"] == min(
            t["value"] for t in known["trials"] if t["state"] == "complete"
        )
        assert known["untuned"]["number"] == 0
        best = {f"{name}.{key}": value for key, value in known["best"]["settings"].items()}
        assert written.items() >= best.items()
        assert f"{known['best']['value']:.3f}" in done.out
        assert f"{known['best']['parameters']:,}" in done.out
        assert set(known["space"]) == set(known["best"]["settings"])
        assert f"# {name}: mae {known['best']['value']:.4f}" in out.read_text()
    assert content["fingerprint"] in out.read_text()
    assert (tmp_path / "tuned.db").exists()
    command = f"affuse benchmark controlled --models concat,mfn --settings {out}"
    assert f"next: {command}" in done.out

    trained = affuse(
        "train", "controlled", "--model=concat", "--settings", str(out), f"--out={run}"
    )
    assert trained.status == 0, trained.err
    best = content["models"]["concat"]["best"]
    assert f"{best['parameters']:,} parameters" in trained.out
    assert f"validation mae {best['value']:.3f}" in trained.out

    result = tmp_path / "result.json"
    compared = affuse(*command.split()[1:], "--seeds=1", "--no-singles", f"--json={result}")
    assert compared.status == 0, compared.err
    rows = json.loads(result.read_text())["models"]
    assert rows["concat"]["parameters"] == best["parameters"]
    assert rows["mfn"]["parameters"] == content["models"]["mfn"]["best"]["parameters"]


def test_settings_files_are_merged_and_overruled_by_set(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("concat.epochs: 7\nconcat.width: 16\nmult.epochs: 5\ntrain: 30\n")
    second.write_text("concat.width: 24\nmfn.epochs: 3\n")
    merged = parse_settings(["epochs=2"], [first, second])
    assert merged == {"concat.width": 24, "train": 30, "epochs": 2}
    assert plan("controlled", "concat", merged).train.epochs == 2
    own = parse_settings(["mult.epochs=9"], [first])
    assert (own["mult.epochs"], own["concat.epochs"]) == (9, 7)
    assert parse_settings(None, None) == {}


@pytest.mark.parametrize("content", ["", "- 1", "a: [", "1: 2", b"\xff\xfe\x00"])
def test_a_settings_file_of_something_else_is_refused(tmp_path: Path, content) -> None:
    file = tmp_path / "settings.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match="holds no settings"):
        parse_settings(None, [file])
    with pytest.raises(InputError, match="cannot be read"):
        parse_settings(None, [tmp_path / "none.yaml"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--model", "raven"), ("unknown model 'raven'",)),
        (("--model", "mult", "--models", "mfn"), ("give one of them",)),
        (("--set", "epoch=1"), ("did you mean 'epochs'",)),
        (("--fold", "3"), ("has 1 fold(s)",)),
        (("--space", "notes"), ("notes", "cannot be read")),
        (("--space", "space.yaml"), ("unknown setting 'dropuot'", "did you mean 'dropout'")),
        (("--out", "no/where.yaml"), ("no/where.yaml", "cannot be written")),
        (("--storage", "good.pkl"), ("good.pkl", "file is not a database")),
        (
            ("--storage", "postgresql://ada:s3cret@127.0.0.1:1/x"),
            ("postgresql://ada:***@127.0.0.1:1/x", "refused"),
        ),
    ],
)
def test_what_is_wrong_is_one_line(affuse, place, assert_one_line, arguments, says) -> None:
    (place / "space.yaml").write_text("dropuot: [0.1]\n")
    storage = () if "--storage" in arguments else ("--storage", "studies.db")
    done = affuse("tune", "controlled", "--trials", "1", *SETTINGS, *storage, *arguments)
    assert_one_line(done.status, done.err, says)
    assert "s3cret" not in done.out + done.err


def test_help_names_it(affuse) -> None:
    done = affuse("tune", "--help")
    assert (done.status, done.err) == (0, "")
    assert all(option in done.out for option in ("--trials", "--storage", "--space", "--jobs"))
    assert "tune" in affuse("--help").out


def test_help_loads_neither_torch_nor_optuna() -> None:
    code = (
        "import sys; sys.argv = ['affuse', 'tune', '--help']\n"
        "from affuse.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'optuna', 'sqlalchemy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
