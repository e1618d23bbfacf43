"""The table that `affuse predict` prints."""

from __future__ import annotations

from typing import Any

import pytest
from answer_contents import answer_content, valued

from affuse.cli.predicting import _show


def _printed(content: dict[str, Any], width: int, monkeypatch, capsys) -> list[list[str]]:
    """The cells of each line of the table."""
    monkeypatch.setenv("COLUMNS", str(width))
    _show([content])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    rows = [line.replace("┃", "│").split("│")[1:-1] for line in lines if line[:1] in "┃│"]
    return [[cell.strip() for cell in row] for row in rows]


def test_values_have_columns_where_there_is_room(monkeypatch, capsys) -> None:
    head, *rows = _printed(valued(answer_content()), 100, monkeypatch, capsys)
    assert head[2:6] == ["sentiment", "valence", "arousal", "emotion"]
    assert rows[0][2:5] == ["-1.25", "-0.31", "-0.25"]
    assert rows[-2][2:5] == ["", "", ""]


def test_in_a_narrow_terminal_they_stand_below_each_other(monkeypatch, capsys) -> None:
    rows = _printed(valued(answer_content()), 80, monkeypatch, capsys)
    assert [row[2] for row in rows[:6]] == [
        *("sentiment", "valence", "arousal"),
        *("-1.25", "-0.31", "-0.25"),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_without_them_the_table_is_as_ever(width: int, monkeypatch, capsys) -> None:
    head, *rows = _printed(answer_content(), width, monkeypatch, capsys)
    assert head == ["clip", "seconds", "sentiment", "emotion", "primary", "conflict"]
    assert rows[0][2] == "-1.25"


@pytest.mark.parametrize("width", [80, 120])
def test_values_alone_stand_where_sentiment_would(width: int, monkeypatch, capsys) -> None:
    content = valued(answer_content())
    for part in (content, *content["timeline"]):
        part["sentiment"] = None
    rows = _printed(content, width, monkeypatch, capsys)
    assert not any("sentiment" in row for row in rows)
    assert rows[0][2] == "valence"
