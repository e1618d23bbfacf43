"""What `affuse corpus inspect` prints reads well in a terminal of 80 columns and of 120."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from affuse.doctor import examine
from affuse.report.inspection import print_examination


def _file(folder: Path) -> str:
    rng, data = np.random.default_rng(0), {}
    for name, count in (("train", 16326), ("valid", 40), ("test", 40)):
        few = min(count, 60)
        part = {
            "text": rng.normal(size=(few, 50, 300)).astype(np.float32),
            "audio": rng.normal(size=(few, 50, 74)).astype(np.float32),
            "vision": rng.normal(size=(few, 50, 35)),
            "labels": rng.uniform(-3, 3, (few, 1, 1)),
        }
        part["audio"][:3, 5, 1] = -np.inf
        part["audio"][:2, 6, 1] = np.nan
        part["vision"][4] = 0
        data[{"valid": "dev"}.get(name, name)] = part
    path = folder / "mosei_senti_data.pkl"
    path.write_bytes(pickle.dumps(data))
    return str(path)


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_wraps_to_a_few_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    path = _file(tmp_path)
    print_examination(path, examine(path), {"mae": 1.0})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    # Every array stands on one line, with all that was found in it.
    rows = [line for line in lines if " x 50 x " in line]
    assert len(rows) == 9
    assert sum("3 -inf, 2 nan" in row for row in rows) == 3
    assert "…" not in "".join(lines)
    at = lines.index("note missing-modality: train vision")
    assert [line.strip() for line in lines[at + 1 : at + 3]] == [
        "1 of 60 samples lack it",
        "-> absent, neither zeros nor a guess: models are masked",
    ]
    assert any(line.strip() == "the split 'dev' is read as valid" for line in lines)
