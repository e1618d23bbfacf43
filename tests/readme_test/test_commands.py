"""Commands in README.md and docs/ exist, and those marked to be run are run.

A fenced `sh` block is run where an HTML comment stands on the line before it:
`<!-- test: run ARGUMENTS -->`. Its `affuse` commands run in order, each with ARGUMENTS (such as
`--set epochs=1`) added, so that a page shows the full command and the test takes seconds. All
blocks of a page share a folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from forked import run_forked, typed
from typer.testing import CliRunner

from affuse.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"(?:^<!-- test: (?P<mark>run)(?P<extra>.*?)-->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Command(NamedTuple):
    """A command line; `extra` is what to add to run it, or None where it is not to be run."""

    words: list[str]
    extra: list[str] | None = None


def commands(text: str) -> Iterator[Command]:
    """The `affuse` and `make` commands of a page, in `sh` blocks and in inline code."""
    for block in FENCE.finditer(text):
        if block["language"] == "sh":
            extra = shlex.split(block["extra"]) if block["mark"] else None
            for line in block["body"].replace("\\\n", " ").splitlines():
                yield from (Command(words, extra) for words in split_line(line))
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        # Inline code may show one option alone, or something that is no command line at all.
        if re.match(r"(affuse|make)\s", code):
            yield from map(Command, split_line(" ".join(code.split())))


def name(value: Path | Command) -> str:
    return value.stem if isinstance(value, Path) else shlex.join(value.words)


def split_line(line: str) -> Iterator[list[str]]:
    """The words of each `affuse` or `make` command of a shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for token in [*lexer, ";"]:
        if set(token) <= set("();<>|&"):
            if words and words[0] in ("affuse", "make"):
                yield words
            words = []
        else:
            words.append(token)


AFFUSE = [(page, c) for page in PAGES for c in commands(page.read_text()) if c.words[0] == "affuse"]
MAKE = [(page, c) for page in PAGES for c in commands(page.read_text()) if c.words[0] == "make"]
MARKED = sorted({page for page, command in AFFUSE if command.extra is not None})


def help_of(words: list[str]) -> str:
    """What `--help` says to the sub-command that these words begin with."""
    first_option = next((i for i, w in enumerate(words) if w.startswith("-")), len(words))
    asked = [*words[1:first_option], "--help"]
    result = CliRunner().invoke(app, asked, env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0, f"{shlex.join(words)}: {result.output}"
    return result.output


@pytest.mark.parametrize(("page", "command"), AFFUSE, ids=name)
def test_affuse_command_exists(page: Path, command: Command) -> None:
    known = re.findall(r"--[\w-]+", help_of(command.words))
    options = [word.partition("=")[0] for word in command.words if word.startswith("--")]
    assert [option for option in options if option not in known] == [], page.name


@pytest.mark.parametrize(("page", "command"), MAKE, ids=name)
def test_make_target_exists(page: Path, command: Command) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = [word for word in command.words[1:] if "=" not in word]
    assert [target for target in asked if target not in targets] == [], page.name


def _timed(page: Path) -> Any:
    """The README's commands are always run; those of guides in the longer suite."""
    return pytest.param(page, id=name(page), marks=[pytest.mark.slow] * (page.stem != "README"))


@pytest.mark.usefixtures("quick_probes")
@pytest.mark.parametrize("page", [_timed(page) for page in MARKED])
def test_marked_commands_run(page: Path, tmp_path: Path) -> None:
    for words, extra in (command for owner, command in AFFUSE if owner == page):
        if extra is not None:
            command = [*words, *extra]
            ended = run_forked(typed(*command[1:]), tmp_path)
            assert ended.code == 0, f"{shlex.join(command)}\n{ended.output}"


def test_the_readme_shows_how_to_begin() -> None:
    found = list(commands(README.read_text()))
    if not found:
        pytest.skip("README.md is not written yet")
    assert ["make", "demo"] in [c.words for c in found]
    assert ["make", "test"] in [c.words for c in found]
    assert any(c.extra is not None for c in found)


def test_a_page_is_read_as_meant() -> None:
    page = "\n".join(
        (
            "Type `affuse models` or `make\ntest`, never `rm -r make`.",
            "<!-- test: run --set epochs=1 -->",
            "```sh",
            "affuse train a.pkl --out 'my model' \\",
            "  --seed 1 && affuse models | head  # or make demo",
            "```",
            "```sh",
            "cd affuse; make demo",
            "```",
            "```python",
            "affuse = 1",
            "```",
        )
    )
    extra = ["--set", "epochs=1"]
    assert list(commands(page)) == [
        Command(["affuse", "train", "a.pkl", "--out", "my model", "--seed", "1"], extra),
        Command(["affuse", "models"], extra),
        Command(["make", "demo"]),
        Command(["affuse", "models"]),
        Command(["make", "test"]),
    ]


def test_what_does_not_exist_is_noticed() -> None:
    assert "--models" in help_of(["affuse", "benchmark", "controlled", "--modells", "x"])
    with pytest.raises(AssertionError, match="trian"):
        help_of(["affuse", "trian", "controlled"])
