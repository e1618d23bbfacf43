"""The package registers its readers and stays light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from affuse.errors import InputError
from affuse.readers import corpora, load_corpus


def test_importing_registers_the_readers() -> None:
    entries = corpora()
    assert {"mosi", "mult", "ravdess"} <= set(entries)
    assert all(entry.summary for entry in entries.values())


def test_an_unknown_corpus_proposes_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown corpus 'mossi'; did you mean 'mosi'"):
        load_corpus("mossi")


def test_reading_needs_no_torch() -> None:
    code = "import sys, affuse.readers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
