"""GloVe: the table's values, and how texts become words."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.extract.text.glove import UNKNOWN, WIDTH, Glove, _table


def tokens(text: str) -> list[str]:
    return Glove().encode([text])[0].tokens


def vector(word: str) -> np.ndarray:
    found = Glove().encode([word])[0]
    assert found.tokens == [word]
    return found.features[0]


def test_the_table_is_well_formed() -> None:
    table = _table()
    assert 20_000 < len(table.rows) < 25_000
    assert table.values.shape == (len(table.rows), WIDTH)
    assert table.scales.shape == (len(table.rows),)
    assert (np.abs(table.values.astype(int)).max(axis=1) == 127).all()
    assert all(word.isascii() and word.isalpha() and word.islower() for word in table.rows)


@pytest.mark.parametrize(
    ("word", "published"),
    [
        ("the", [-0.038194, -0.24487, 0.72812, -0.39961, 0.083172]),
        ("good", [-0.030769, 0.11993, 0.53909, -0.43696, -0.73937]),
    ],
)
def test_vectors_are_those_published(word: str, published: list[float]) -> None:
    half_a_step = float(_table().scales[_table().rows[word]]) / 2
    np.testing.assert_allclose(vector(word)[:5], published, atol=half_a_step + 1e-6)


def test_near_in_meaning_is_near_in_space() -> None:
    def cosine(a: str, b: str) -> float:
        x, y = vector(a), vector(b)
        return float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))

    assert cosine("good", "great") > cosine("good", "table") + 0.2
    assert cosine("hilarious", "funny") > cosine("hilarious", "minister") + 0.2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DIDN'T didnt didn\u2019t", ["did", "not"] * 3),
        ("couldve you're thats", ["could", "have", "you", "are", "that", "is"]),
        ("he was well, we were ill", ["he", "was", "well", "we", "were", "ill"]),
        ("I am here, in ire, Wes", ["am", "here", "in", "ire", "wes"]),
        ("its hell, shed a shell", ["its", "hell", "shed", "shell"]),
        ("who lets who wed", ["who", "lets", "who", "wed"]),
        (
            "dont cant wont ive theyre",
            ["do", "not", "can", "not", "will", "not", "have", "they", "are"],
        ),
        ("I'd've wouldn't've", ["would", "have", "would", "not", "have"]),
        ("it's here's Ann's man's", ["it", "is", "here", "is", "ann", "man"]),
        (
            "shan't ain't he'd we're I'm",
            ["shall", "not", "is", "not", "he", "would", "we", "are", "am"],
        ),
        ("O'Brien rock'n'roll y'all", ["rock", "roll", "you", "all"]),
        ("we'll let's", ["we", "will", "let", "us"]),
        ("Chicago's (best) film!", ["chicago", "best", "film"]),
        ("well-made", ["well", "made"]),
        ("I give it 10 xqzzyx stars", ["give", "it", "stars"]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_word_ids_index_the_words_of_the_text() -> None:
    text = "I didn't like xqzzyx it"
    found = Glove().encode([text])[0]
    assert found.tokens == ["did", "not", "like", "it"]
    assert found.word_ids == [1, 1, 2, 4]
    assert found.features.shape == (4, WIDTH)
    assert found.features.dtype == np.float32


@pytest.mark.parametrize("text", ["", "42", "xqzzyx"])
def test_a_text_without_known_words_is_one_zero_step(text: str) -> None:
    found = Glove().encode([text])[0]
    assert (found.tokens, found.word_ids) == ([UNKNOWN], [None])
    assert found.features.shape == (1, WIDTH)
    assert not found.features.any()
