"""Whose face a window is about: of two people in real clips, the one that is heard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_files import write_media
from two_faces import pictures_of, smaller, sound_of, two_faces

from affuse.extract.account import Account
from affuse.extract.clip import ClipExtractor, ClipSettings, Window
from affuse.extract.mouths import Mouths

NOTHING = "nothing is seen or heard in it that an answer could go by"


@pytest.fixture(scope="module")
def talks(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "clips").glob("*.mpg"))


def longest(path: Path, **settings: Any) -> tuple[Window, Account]:
    extractor = ClipExtractor(ClipSettings(expression=False, **{"follow": True, **settings}))
    account = Account()
    windows = list(extractor.windows(path, account=account))
    return max(windows, key=lambda w: w.end - w.start), account


def side(window: Window) -> str:
    assert window.face is not None
    return "left" if window.face.place[0] < 0.5 else "right"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pair", "options"),
    [
        ((0, 1), {}),
        ((1, 0), {"left": False}),
        ((2, 3), {"left": False, "sizes": (0.6, 1.0)}),
        ((3, 4), {"sizes": (1.0, 0.6)}),
        ((4, 2), {"left": False, "frozen": True, "sizes": (0.5, 1.0)}),
    ],
)
def test_the_one_that_speaks_is_chosen(
    talks: list[Path], tmp_path: Path, pair: tuple[int, int], options: dict[str, Any]
) -> None:
    path = two_faces(tmp_path / "a.mkv", talks[pair[0]], talks[pair[1]], **options)
    window, account = longest(path)
    assert window.face is not None
    assert (side(window), window.face.why) == (
        "left" if options.get("left", True) else "right",
        "speaks",
    )
    assert account.faces.most == 2
    assert account.notices == []


@pytest.mark.slow
def test_without_a_voice_it_is_the_largest(talks: list[Path], tmp_path: Path) -> None:
    path = two_faces(tmp_path / "a.mkv", talks[0], talks[1], left=False, sizes=(0.6, 1.0))
    silent = write_media(tmp_path / "b.mkv", pictures_of(path)[::5], fps=5)
    window, _ = longest(silent, faces="all")
    assert window.face is not None
    assert (side(window), window.face.why) == ("left", "largest")
    assert sorted(whose.why for whose, _ in window.each) == ["beside", "largest"]
    assert [sample.sequences["vision"].shape for _, sample in window.each] == [(15, 40)] * 2


@pytest.mark.slow
def test_of_one_face_nothing_is_read_twice(
    talks: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mouths, "read", lambda *_: pytest.fail("another look"))
    shown, sound = pictures_of(talks[0])[:25:5], sound_of(talks[0])[:32_000]
    window, _ = longest(write_media(tmp_path / "a.mkv", shown, sound, fps=5))
    assert window.face is not None
    assert (window.face.person, window.face.why, window.face.quality) == (1, "only", 1)
    assert window.each == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoilt", "lacks", "least", "most"),
    [
        (lambda image: smaller(image, 0.2)[90:198, 112:248], "too small", 0.3, 0.75),
        (lambda image: (image * 0.15).astype(np.uint8), "too dark", 0.1, 0.75),
        (lambda image: (image * 0.02).astype(np.uint8), "too dark", 0.0, 0.1),
    ],
)
def test_a_face_that_shows_little_is_told_of_and_counts_less(
    talks: list[Path], tmp_path: Path, spoilt: Any, lacks: str, least: float, most: float
) -> None:
    shown = [spoilt(image) for image in pictures_of(talks[0])[:50:5]]
    path = write_media(tmp_path / "a.mkv", shown, fps=5, codec="libx264")
    window, account = longest(path)
    face = window.face
    if face is not None:
        assert face.lacks == lacks
        assert least <= face.quality <= most
        assert any(f"the face is {lacks} in" in line for line in account.notices)
    # Of one that is hopeless nothing is taken, found or not.
    assert ("vision" in window.sample.sequences) == (most > 0.1)
    assert (NOTHING in account.notices) == (most <= 0.1)
