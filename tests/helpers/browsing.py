"""Pages in a real browser, and what makes a page one for everybody (axe)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

SCHEMES = ("light", "dark")
_FAKE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# What a page may not do: all else that a console says is an answer of the service.
_ALLOWED = "Failed to load resource"


@contextmanager
def a_browser() -> Iterator[Any]:
    """The Chromium of this machine, with a camera and a microphone that are none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no Chromium is installed on this machine")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *_FAKE],
        )
        yield browser
        browser.close()


class Opened:
    """A page whose every fault is noted.

    Attributes:
        page: of playwright.
        faults: what the page did wrong: errors of scripts, and what its policy forbade.
    """

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 900}, **options}
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type == "error" and _ALLOWED not in message.text:
            self.faults.append(message.text)

    def close(self) -> None:
        self.context.close()


def violations(page: Any) -> list[str]:
    """What axe finds in light and dark: rule, scheme and element."""
    from axe_playwright_python.sync_playwright import Axe

    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for broken in Axe().run(page).response["violations"]:
            nodes = [node["html"][:120] for node in broken["nodes"][:3]]
            found.append(f"{broken['id']} in {scheme}: {nodes}")
    return found


def is_cut_off(page: Any) -> bool:
    """Whether a page is wider than its window, so that one has to scroll sideways."""
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return bool(width > page.viewport_size["width"])
