"""The page of the service, as people use it in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import is_cut_off, violations

pytestmark = pytest.mark.slow

WORDS = "I am so happy with this wonderful day"


@pytest.fixture(scope="module")
def clips(shared_data: Path) -> list[Path]:
    """Two real talking heads."""
    return sorted((shared_data / "clips").glob("*.mpg"))[:2]


@pytest.fixture(scope="module")
def read(service, clips) -> list[str]:
    """Jobs of both, the first with words."""
    sent = [{"text": WORDS}, {}]
    jobs = [
        service.ask.send(clip, **more).json["id"] for clip, more in zip(clips, sent, strict=True)
    ]
    assert [service.ask.ended(job)["state"] for job in jobs] == ["done", "done"]
    return jobs


@pytest.fixture
def clip_page(service, read, open_page) -> Any:
    """The view of the first clip, whose player is ready."""
    page = open_page(f"{service.address}/#clip={read[0]}")
    ready(page)
    return page


def ready(page: Any) -> None:
    page.locator("video").first.wait_for()
    for _ in range(200):
        if page.evaluate("[...document.querySelectorAll('video')].every((v) => v.readyState >= 2)"):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the player has nothing to play")


def now(page: Any) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def saved(page: Any, form: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Save as {form}").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def item(page: Any, name: str) -> Any:
    return page.locator("#list > li").filter(has_text=name).first


def test_a_clip_is_sent_read_and_played(service, open_page, clips, tmp_path) -> None:
    clip = tmp_path / "kind words.mpg"
    clip.write_bytes(clips[0].read_bytes())
    (tmp_path / "kind words.srt").write_text(f"1\n00:00:00,000 --> 00:00:02,900\n{WORDS}\n")
    page = open_page(service.address)
    page.get_by_role("heading", name="What an answer means").wait_for()
    page.locator("#files").set_input_files([clip, clip.with_suffix(".srt")])
    page.get_by_role("progressbar", name="Progress of kind words.mpg").wait_for()
    page.get_by_role("link", name="kind words.mpg").wait_for(timeout=60_000)
    assert "kind words.mpg: done" in page.get_by_role("status").all_inner_texts()
    page.get_by_role("button", name="Open kind words.mpg").click()
    page.get_by_role("heading", name="kind words.mpg", level=1).wait_for()
    assert "wonderful" in page.get_by_role("region", name="What is said").inner_text()
    ready(page)
    left = page.locator(".playhead").evaluate("(head) => head.getBoundingClientRect().left")
    page.keyboard.press("Space")
    page.locator(".word.now").wait_for()
    page.wait_for_timeout(600)
    assert now(page) > 0.3
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('video').paused")
    assert page.locator(".playhead").evaluate("(head) => head.getBoundingClientRect().left") > left
    page.get_by_role("link", name="All clips").click()
    page.get_by_role("button", name="Remove kind words.mpg").click()
    item(page, "kind words.mpg").wait_for(state="detached")


def test_clicks_and_keys_jump_and_numbers_are_told(clip_page, service, read) -> None:
    page, track = clip_page, clip_page.get_by_role("slider")
    found = service.ask(f"/v1/jobs/{read[0]}/result").json
    # Beneath the numbers of three checkpoints.
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 60)
    tip = page.locator(".tip")
    tip.wait_for()
    assert f"{abs(found['sentiment']):.2f}" in tip.inner_text()
    assert "conflict" in tip.inner_text()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 60)
    page.wait_for_timeout(300)
    assert now(page) == pytest.approx(found["duration"] / 2, abs=0.1)
    page.mouse.move(0, 0)
    track.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert now(page) == pytest.approx(found["words"][1]["start"], abs=0.05)
    assert "sentiment" in track.get_attribute("aria-valuetext")
    tip.wait_for()
    page.keyboard.press("Escape")
    tip.wait_for(state="hidden")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert now(page) == pytest.approx(found["duration"], abs=0.1)
    # Keys do the same from where the reader arrives.
    page.get_by_role("heading", level=1).focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(300)
    assert now(page) == pytest.approx(found["words"][-1]["start"], abs=0.05)
    page.locator(".word", has_text="happy").click()
    page.wait_for_timeout(300)
    assert now(page) == pytest.approx(found["words"][3]["start"], abs=0.05)


def test_answers_are_saved_in_every_form(clip_page, service, read, clips) -> None:
    def served(query: str) -> bytes:
        return bytes(service.ask(f"/v1/jobs/{read[0]}/result{query}").body)

    name, content = saved(clip_page, "JSON")
    assert (name, json.loads(content)) == (f"{clips[0].name}.json", json.loads(served("")))
    assert saved(clip_page, "CSV") == (f"{clips[0].name}.csv", served("?format=csv"))
    assert saved(clip_page, "SRT") == (f"{clips[0].name}.srt", served("?format=srt"))
    name, content = saved(clip_page, "PNG")
    assert (name, content[:8]) == (f"{clips[0].name}.png", b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(content[16:20], "big") == 2400
    # A picture of something: an empty one of this size has a few kilobytes.
    assert len(content) > 40_000


@pytest.mark.usefixtures("read")
def test_two_clips_stand_side_by_side(service, open_page, clips) -> None:
    page = open_page(service.address)
    for clip in clips:
        page.get_by_role("checkbox", name=f"Compare {clip.name}").first.check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".beside .clip").nth(1).wait_for()
    boxes = [view.bounding_box() for view in page.locator(".beside .clip").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    table = page.get_by_role("region", name="Whole clips").inner_text()
    assert all(clip.name in table for clip in clips)
    assert "neutral" in table
    ready(page)
    page.get_by_role("button", name="Play both").click()
    page.wait_for_timeout(500)
    times = page.evaluate("[...document.querySelectorAll('video')].map((v) => v.currentTime)")
    assert all(time > 0.1 for time in times)


def test_the_list_is_filtered(service, read, open_page, clips) -> None:
    page = open_page(service.address)
    page.get_by_role("link", name=clips[1].name).first.wait_for()
    shown = page.locator("#list > li")
    every = shown.count()
    page.get_by_role("searchbox").fill("WONDERFUL")
    assert 1 <= shown.count() < every
    assert clips[0].name in shown.first.inner_text()
    assert f"{shown.count()} of {every} clips" in page.locator("#count").inner_text()
    page.get_by_role("searchbox").fill("")
    signs = [service.ask(f"/v1/jobs/{job}/result").json["sentiment"] for job in read]
    page.get_by_label("Sentiment").select_option("negative")
    names = [clip.name for clip, sign in zip(clips, signs, strict=True) if sign < 0]
    assert {name for name in names if item(page, name).count()} == set(names)
    page.get_by_label("Sentiment").select_option("")
    page.get_by_label("Only with conflict").check()
    assert shown.count() == 0


def test_a_recording_is_made_and_read(service, open_page) -> None:
    page = open_page(service.address, permissions=["camera", "microphone"])
    sent = len(service.ask("/v1/jobs").json["jobs"])
    for leave in ("Close", ""):
        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_role("button", name="Start").click()
        page.get_by_role("button", name="Stop and read it").wait_for()
        if leave:
            page.wait_for_timeout(500)
            page.get_by_role("button", name=leave).click()
    page.wait_for_timeout(2500)
    assert len(service.ask("/v1/jobs").json["jobs"]) == sent
    page.get_by_role("button", name="Stop and read it").click()
    made = page.get_by_role("link", name=re.compile(r"recording .*\.webm"))
    made.wait_for(timeout=60_000)
    made.click()
    ready(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(500)
    assert now(page) == pytest.approx(1.0, abs=0.2)


def test_errors_are_in_the_services_words(service, open_page, tmp_path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no media at all")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "alone.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nso\n")
    page = open_page(service.address)
    page.locator("#files").set_input_files([tmp_path / "broken.mp4", tmp_path / "empty.mp4"])
    broken, empty = item(page, "broken.mp4"), item(page, "empty.mp4")
    broken.locator(".problem").wait_for(timeout=60_000)
    state = next(job for job in service.ask("/v1/jobs").json["jobs"] if job["file"] == "broken.mp4")
    assert broken.locator(".problem").inner_text() == state["error"]
    assert empty.locator(".problem").inner_text() == "the clip is empty; send a recording"
    page.locator("#files").set_input_files([tmp_path / "alone.srt"])
    alert = page.get_by_role("alert").first
    assert "alone.srt: no clip of that name" in alert.inner_text()
    page.goto(f"{service.address}/#clip={'0' * 32}")
    page.get_by_text("there is no such job").wait_for()
    broken.get_by_role("button", name="Remove broken.mp4").click()
    empty.get_by_role("button", name="Remove empty.mp4").click()


def test_a_key_is_asked_for_and_kept_for_the_tab(
    start: Callable[..., Any], open_page, clips, tmp_path
) -> None:
    from affuse.service.keys import add_key

    key = add_key(tmp_path / "keys", "ann")
    page = open_page(start(keys=tmp_path / "keys").address)
    field = page.get_by_label("Key")
    field.fill("nonsense")
    page.get_by_role("button", name="Use it").click()
    page.get_by_text("This key is not known here").wait_for()
    assert violations(page) == []
    field.fill(key)
    page.get_by_role("button", name="Use it").click()
    field.wait_for(state="hidden")
    page.get_by_text("What is said, and who answers").click()
    page.get_by_label("Words of the next clip").fill("hold")
    page.locator("#files").set_input_files(clips[0])
    item(page, clips[0].name).wait_for()
    assert page.evaluate("fetch('v1/checkpoints').then((answer) => answer.status)") == 200
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (
        "affuse_key",
        True,
        "Strict",
    )
    page.reload()
    item(page, clips[0].name).wait_for()
    assert not field.is_visible()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_every_width_has_all_of_it(service, read, open_page, width) -> None:
    page = open_page(service.address, viewport={"width": width, "height": 800})
    page.locator("#list a").nth(1).wait_for()
    assert not is_cut_off(page)
    for view in (f"#clip={read[0]}", f"#compare={','.join(read)}"):
        page.goto(f"{service.address}/{view}")
        page.locator(".timeline text").first.wait_for()
        assert not is_cut_off(page)
        assert page.get_by_role("slider").first.bounding_box()["width"] > 0.2 * width


def test_clips_are_read_in_the_ways_that_were_chosen(service, open_page, clips, tmp_path) -> None:
    clip = tmp_path / "in pieces.mpg"
    clip.write_bytes(clips[0].read_bytes())
    page = open_page(service.address)
    page.get_by_text("How clips are read").click()
    page.get_by_label("Seconds of a window").fill("0.5")
    page.locator("#files").set_input_files(clip)
    assert "1 to 60 seconds" in page.get_by_role("alert").first.inner_text()
    page.get_by_label("Seconds of a window").fill("1.5")
    page.get_by_label("The voice is adapted to").select_option("none")
    page.locator("#files").set_input_files(clip)
    page.get_by_role("link", name=clip.name).wait_for(timeout=60_000)
    (job,) = [job for job in service.ask("/v1/jobs").json["jobs"] if job["file"] == clip.name]
    found = service.ask(f"/v1/jobs/{job['id']}/result").json
    assert found["timeline"][0]["end"] == 1.5
    assert found["made_from"]["adapt"] == "none"


def test_the_page_is_for_everybody(service, read, open_page) -> None:
    page = open_page(service.address)
    page.locator("#list a").nth(1).wait_for()
    page.get_by_text("What is said, and who answers").click()
    page.get_by_text("How clips are read").click()
    assert violations(page) == []
    page.get_by_role("button", name="Record", exact=True).click()
    assert violations(page) == []
    for view in (f"#clip={read[0]}", f"#compare={','.join(read)}"):
        page.goto(f"{service.address}/{view}")
        page.locator(".timeline text").first.wait_for()
        page.get_by_text("All numbers, window by window").first.click()
        assert violations(page) == []
