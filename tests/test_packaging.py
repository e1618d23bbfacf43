"""What is installed with affuse: all of it pinned, torch only where it is asked for."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from affuse.extract.text import e5, minilm
from affuse.extract.voice import recognise

ROOT = Path(__file__).resolve().parents[1]


def _required(extra: str = "") -> dict[str, list[Requirement]]:
    """Every requirement that installing affuse brings on this machine, by canonical name."""
    found: dict[str, list[Requirement]] = {}
    todo, seen = [("affuse", extra)], set()
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for requirement in map(Requirement, metadata.requires(name) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = str(canonicalize_name(requirement.name))
                found.setdefault(needed, []).append(requirement)
                todo += [(needed, wanted) for wanted in ("", *requirement.extras)]
    return found


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines if line[:1] != "#"]
    assert all(pins), "a line is not NAME==VERSION without a local label"
    return {str(canonicalize_name(pin[1])): pin[2] for pin in pins if pin}


def test_everything_is_pinned_to_a_version_that_fits() -> None:
    required, pins = _required("dev"), _pins()
    assert len(required) > 50
    assert set(required) - {"affuse"} - set(pins) == set()
    for name, requirements in required.items():
        assert name == "affuse" or all(r.specifier.contains(pins[name]) for r in requirements)


def test_the_base_install_has_no_torch() -> None:
    base = set(_required())
    assert {"numpy", "typer", "av", "afx-audio", "onnxruntime"} <= base
    assert "torch" not in base


@pytest.mark.parametrize("extra", ["text", "asr"])
def test_extraction_needs_no_torch(extra: str) -> None:
    assert "torch" not in _required(extra)


@pytest.mark.parametrize(
    "package", [minilm.PACKAGE, recognise.PACKAGE, *recognise.MANY_PACKAGES, e5.PACKAGE]
)
def test_the_weights_are_those_that_the_code_asks_for(package: str) -> None:
    weights = (ROOT / "requirements" / "weights.txt").read_text()
    # Perhaps for some machines alone, with a hash for each kind of them.
    hashes = r"(?: ;.+)?(?: \\\n +--hash=sha256:[0-9a-f]{64})+$"
    assert re.search(f"^{re.escape(package)}{hashes}", weights, re.M)


def test_the_extra_installs_the_weights_that_the_code_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert e5.PACKAGE in project["optional-dependencies"][e5.EXTRA]
