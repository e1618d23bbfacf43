"""The page of a clip's answer, opened from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from answer_contents import answer_content, valued, window
from browsing import is_cut_off, violations
from media_files import tone, write_media

from affuse.report.case_media import clip_media
from affuse.report.pages import prediction_page

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A page in a folder beside that of its clip."""
    clip = write_media(tmp_path / "a & b #1.wav", (), tone(40.0))
    content = {**answer_content(), "duration": 40.0, "file": str(clip)}
    content["timeline"] = [window(0, 10, -1.25), window(10, 20, 2.0), window(20, 40, None)]
    content["timeline"][1]["interval"] = [0.5, 2.75]
    page = tmp_path / "pages" / "a.html"
    page.parent.mkdir()
    page.write_text(prediction_page(content, clip_media(clip, 40.0, page, copy=False)))
    return page


def test_it_plays_what_lies_beside_it(place, open_page) -> None:
    page = open_page(place.as_uri())
    page.get_by_role("heading", name="a & b #1.wav", level=1).wait_for()
    page.keyboard.press("Tab")
    # To the words and the windows, one by one.
    for time in (0.5, 1.0, 10.0):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        told = page.evaluate("document.querySelector('audio').currentTime")
        assert told == pytest.approx(time, abs=0.1)
    assert "+0.50 to +2.75" in page.get_by_role("region", name="At this moment").inner_text()
    assert "<b>nice</b>" in page.get_by_role("region", name="What is said").inner_text()
    for form in ("JSON", "CSV", "SRT", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {form}").click()
        assert Path(download.value.path()).stat().st_size > 100


def test_it_is_for_everybody(place, open_page) -> None:
    for width in (390, 1280):
        page = open_page(place.as_uri(), viewport={"width": width, "height": 800})
        page.locator(".timeline text").first.wait_for()
        assert not is_cut_off(page)
        assert violations(page) == []


def test_each_face_has_a_lane(tmp_path, open_page) -> None:
    content = {
        **answer_content(),
        "duration": 20.0,
        "faces": {"share": 1.0, "people": 2, "changes": []},
    }
    content["streams"]["picture"] = {**content["streams"]["sound"], "gaps": []}
    told = {"share": 1.0, "place": [0.2, 0.5, 0.3], "lacks": "too dark"}
    faces = [{"person": 1, "why": "largest", **told}, {"person": 2, "why": "speaks", **told}]
    content["timeline"] = [
        {**window(start, start + 10, 1.0), "face": face, "face_quality": quality}
        for start, face, quality in ((0, faces[0], 0.4), (10, faces[1], 1.0))
    ]
    content["by_face"] = [
        {"person": 1, "timeline": content["timeline"]},
        {"person": 2, "timeline": content["timeline"][1:]},
    ]
    page = tmp_path / "a.html"
    page.write_text(prediction_page(content))
    shown = open_page(page.as_uri())
    for name in ("Face 1 (by itself, left)", "Face 2 (by itself, left)", "Whose face (speaks in 1"):
        shown.get_by_role("img", name=name).wait_for()
    assert "face 2 speaks" in shown.locator(".lane-face svg").text_content()
    track = shown.get_by_role("slider")
    assert "face too dark, counts 40%" in track.get_attribute("aria-valuetext")
    assert violations(shown) == []


def test_valence_and_arousal_have_a_lane_and_a_place(tmp_path, open_page) -> None:
    page = tmp_path / "a.html"
    content = {**answer_content(), "duration": 40.0}
    content["timeline"] = [window(0, 10, -1.0), window(10, 20, 2.0), window(20, 40, None)]
    page.write_text(prediction_page(valued(content)))
    shown = open_page(page.as_uri())
    shown.get_by_role("img", name="Valence and arousal").wait_for()
    moment = shown.get_by_role("region", name="At this moment")
    assert "valence \u22120.25" in moment.inner_text()
    place = moment.locator("svg.circumplex .place")
    left = float(place.get_attribute("cx"))
    shown.keyboard.press("Tab")
    for _ in range(3):
        shown.keyboard.press("ArrowRight")
    shown.wait_for_function("document.querySelector('.reading').innerText.includes('+0.50')")
    assert float(place.get_attribute("cx")) > left
    assert violations(shown) == []


def test_without_scripts_it_is_a_table(place, open_page) -> None:
    page = open_page(place.as_uri(), java_script_enabled=False)
    assert "+2.00" in page.get_by_role("table").inner_text()
