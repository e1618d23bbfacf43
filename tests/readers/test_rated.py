"""Texts that people rated, as a corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.errors import InputError
from affuse.readers import load_corpus
from affuse.readers.rated import read_rated_texts

GLOVE = {"text": "glove"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    films = [f"{n}\t{n % 9 - 4}\tFilm number {n}." for n in range(60)]
    goods = [f"{d}_{s}\t0.5\tSentence {s} of {d}." for d in range(30) for s in range(3)]
    for topic, lines in (("films", films), ("goods", [*goods, "30_1\t-2\tFilm number 1."])):
        place = tmp_path / topic
        place.mkdir()
        (place / f"{topic}_GroundTruth.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_ratings_are_scaled_and_each_text_comes_once(folder: Path) -> None:
    assert len(read_rated_texts(folder)) == 151
    split = load_corpus("rated", folder, GLOVE).folds[0]
    samples = {s.id: s for part in split.parts().values() for s in part}
    assert len(samples) == 150
    assert samples["films_8"].target == pytest.approx([3.0])
    assert samples["films_0"].target == pytest.approx([-3.0])
    # The first of two, which was rated -3.
    assert samples["films_1"].target == pytest.approx([-2.25])
    assert "goods_30_1" not in samples


def test_sentences_of_a_document_stay_together(folder: Path) -> None:
    parts = load_corpus("rated", folder, GLOVE).folds[0].parts()
    groups = {name: {s.group for s in part} for name, part in parts.items()}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["valid"]
    assert not groups["valid"] & groups["test"]
    assert {"goods_4", "films_7"} <= set.union(*groups.values())
    assert len(parts["train"]) > 2 * (len(parts["valid"]) + len(parts["test"]))


def test_topics_are_chosen_by_the_beginning_of_their_name(folder: Path) -> None:
    corpus = load_corpus("rated", folder, {**GLOVE, "topics": ["film"]})
    assert corpus.name == "rated[text=glove,topics=film]"
    assert {s.id[:5] for part in corpus.folds[0].parts().values() for s in part} == {"films"}
    with pytest.raises(InputError, match="unknown topic 'filsm'; did you mean 'films'"):
        load_corpus("rated", folder, {**GLOVE, "topics": ["filsm"]})


@pytest.mark.parametrize("line", ["no tabs at all", "1\thigh\tA film."])
def test_a_line_without_a_rating_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "films_GroundTruth.txt"
    file.write_text(line + "\n")
    with pytest.raises(InputError, match="has no rating"):
        load_corpus("rated", tmp_path, GLOVE)


@pytest.mark.parametrize("rating", ["nan", "inf", "4.5"])
def test_ratings_out_of_range_are_refused(folder: Path, rating: str) -> None:
    (folder / "more_GroundTruth.txt").write_text(f"1\t{rating}\tAnother film.\n")
    with pytest.raises(InputError, match=r"-3.*3|not finite"):
        load_corpus("rated", folder, GLOVE)


def test_a_folder_without_texts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \*_GroundTruth.txt; check the folder"):
        load_corpus("rated", tmp_path)
    with pytest.raises(InputError, match="'rated' needs its data"):
        load_corpus("rated")
