"""Tools for assistants: real processes, spoken to by the SDK's own client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from affuse.errors import InputError
from affuse.runtime.predictor import Predictor
from affuse.service.assistants import Clips, create_assistants
from affuse.service.caution import CAUTION


def _done(work: Coroutine[Any, Any, Any]) -> Any:
    """What comes of it, beside a loop that another test may have left to this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.fixture
def folder(recording, tmp_path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for path in (recording, recording.with_suffix(".srt")):
        shutil.copy(path, folder / path.name)
    (tmp_path / "secret.wav").write_bytes(b"secret")
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    return folder


@pytest.mark.parametrize(
    "file", ["../secret.wav", "/etc/passwd", "link.wav", "a\0b", "x" * 5000, "~/a.wav"]
)
def test_nothing_outside_the_folders_is_read(folder, file) -> None:
    with pytest.raises(InputError, match=r"outside the folders|no such file"):
        Clips([folder]).place(file)


def test_a_folder_that_is_none_is_refused(folder) -> None:
    with pytest.raises(InputError, match="is no folder"):
        Clips([folder / "gone"])


def test_every_tool_says_what_it_must_not_be_used_for(folder, monkeypatch) -> None:
    clips = Clips([folder])
    content = {**json.loads((Path(__file__).parent / "an_answer.json").read_text())}
    monkeypatch.setattr(clips, "_read", lambda *_: content)

    async def ask() -> dict[str, Any]:
        async with Client(create_assistants(clips)) as client:
            tools = (await client.list_tools()).tools
            return {t.name: await client.call_tool(t.name, {"file": "tone.wav"}) for t in tools}

    said = {name: told.structured_content for name, told in _done(ask()).items()}
    assert set(said) == {"predict", "timeline", "conflicts", "explain"}
    assert {told["caution"] for told in said.values()} == {CAUTION}
    assert said["predict"]["sentiment"] == content["sentiment"]
    assert said["timeline"]["timeline"] == content["timeline"]
    found = [window["conflict"] for window in said["conflicts"]["conflicts"]]
    assert found == sorted(found, reverse=True)
    assert said["explain"]["report"][0].startswith("sentiment")


@pytest.mark.slow
def test_over_standard_input_the_answer_is_that_of_predict(folder) -> None:
    here = (
        Predictor.from_pretrained().predict(folder / "tone.wav", window=1, adapt="none").to_dict()
    )
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "affuse", "mcp", "--allow", str(folder)],
        env=dict(os.environ),
    )

    async def ask() -> tuple[Any, Any]:
        async with Client(command) as client:
            asked = {"file": "tone.wav", "window": 1, "adapt": "none"}
            told = await client.call_tool("predict", asked)
            return told, await client.call_tool("predict", {"file": "../secret.wav"})

    told, refused = _done(ask())
    content = told.structured_content
    assert content.pop("caution") == CAUTION
    assert content.pop("file") == "tone.wav"
    assert content == {key: here[key] for key in content}
    assert refused.is_error
    assert "outside the folders" in refused.content[0].text
