"""The page that takes labels, in a browser: by keys alone, and for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import is_cut_off, violations
from media_files import pictures, tone, write_media

from affuse.annotation.desk import label

pytestmark = pytest.mark.slow


def test_a_label_by_key_is_written(open_page, tmp_path: Path) -> None:
    write_media(tmp_path / "a.wav", (), tone(0.4))
    write_media(tmp_path / "film.avi", pictures(6), tone(0.6))
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,so it is\nfilm.avi,\n")
    labelling = label(tmp_path, "happy,sad", in_order=True)
    try:
        page = open_page(labelling.address, viewport={"width": 390, "height": 800})
        page.get_by_role("heading", name="a.wav").wait_for()
        assert violations(page) == []
        page.keyboard.press("2")
        page.get_by_role("heading", name="film.avi").wait_for()
        assert "a.wav,so it is,sad" in (tmp_path / "metadata.csv").read_text()
        page.keyboard.press("1")
        page.get_by_text("All clips are labelled").wait_for()
        assert "film.avi,,happy" in (tmp_path / "metadata.csv").read_text()
        assert violations(page) == []
        page.keyboard.press("u")
        page.get_by_text("1 of 2 labelled").wait_for()
        assert "film.avi,,\n" in (tmp_path / "metadata.csv").read_text()
        assert not is_cut_off(page)
    finally:
        labelling.stop()
