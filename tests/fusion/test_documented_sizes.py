"""`docs/models.md` lists every model with the parameters that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from affuse.fusion import count_parameters, create_model, models

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
MOSI = {"text": 300, "audio": 5, "vision": 20}
MOSEI = {"text": 300, "audio": 74, "vision": 35}
ROWS = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \|", PAGE.read_text(), re.MULTILINE)


def test_every_model_has_a_row() -> None:
    assert sorted(name for name, *_ in ROWS) == sorted(models())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_sizes_are_those_of_the_page(row: tuple[str, str, str]) -> None:
    name, *sizes = row
    ours = [count_parameters(create_model(name, widths, 1)) for widths in (MOSI, MOSEI)]
    assert sizes == [f"{size:,}" for size in ours]
