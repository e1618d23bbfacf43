"""The page that takes labels, as its server answers."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from media_files import pictures, tone, write_media

from affuse.annotation.desk import Labelling, label
from affuse.errors import InputError

TABLE = "file_name;text;note\r\na.wav;so it is;1,5\r\nb.wav;;\r\nfilm.avi;;x\r\ngone.wav;;\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clips = tmp_path / "clips"
    clips.mkdir()
    for name in ("a", "b"):
        write_media(clips / f"{name}.wav", (), tone(0.4))
    write_media(clips / "film.avi", pictures(6), tone(0.6))
    (clips / "metadata.csv").write_bytes(TABLE.encode())
    (tmp_path / "secret.txt").write_text("secret")
    return clips


@pytest.fixture
def start() -> Iterator[Callable[..., Labelling]]:
    pages: list[Labelling] = []

    def begin(*arguments: Any, **options: Any) -> Labelling:
        pages.append(label(*arguments, **{"in_order": True, **options}))
        return pages[-1]

    yield begin
    for page in pages:
        page.stop()


class Answer:
    """What the server said."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(page: Labelling, path: str, body: Any = None, *, token: str = "", **headers: str) -> Answer:
    """A request as the page makes it, or with other headers or another token."""
    place = urlsplit(page.address)
    connection = http.client.HTTPConnection(place.netloc, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent = {"Content-Type": "application/json", **sent}
    where = f"/{token}/{path}" if token else f"{place.path}{path}"
    content = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", where, content, sent)
    return Answer(connection.getresponse())


def test_labels_are_written_as_they_are_given(
    start: Callable[..., Labelling], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = start(folder, "happy,sad")
    assert "gone.wav' is not there" in capsys.readouterr().err
    state = ask(page, "state").json
    assert (state["order"], state["total"], state["choices"]) == ([0, 1, 2], 3, ["happy", "sad"])
    shown = ask(page, "clips/0").json
    assert (shown["name"], shown["words"], shown["type"]) == ("a.wav", "so it is", "audio/wav")
    after = ask(page, "label", {"clip": 0, "label": "sad"}).json
    assert (after["labels"], after["left"], page.given) == (["sad", "", ""], 2, 1)
    written = (folder / "metadata.csv").read_bytes().decode()
    assert written == TABLE.replace("note\r", "note;label\r").replace("1,5\r", "1,5;sad\r").replace(
        ";;\r", ";;;\r"
    ).replace(";x\r", ";x;\r")
    ask(page, "label", {"clip": 2, "label": "happy"})
    undone = ask(page, "undo", {}).json
    assert (undone["undone"], undone["labels"], page.given) == (2, ["sad", "", ""], 1)
    assert ask(page, "skip", {"clip": 1}).json["order"] == [0, 2, 1]
    page.stop()
    again = start(folder, "happy,sad", again=True)
    assert ask(again, "state").json["labels"] == ["sad", "", ""]
    assert ask(start(folder, "happy,sad"), "state").json["order"] == [1, 2]


def test_values_and_annotators(start: Callable[..., Labelling], folder: Path) -> None:
    page = start(folder, low=-1, high=1, annotator="ann")
    assert ask(page, "state").json["choices"] == ["-1", "0", "1"]
    ask(page, "label", {"clip": 1, "label": "0.25"})
    refused = ask(page, "label", {"clip": 1, "label": 7})
    assert (refused.status, "from -1 to 1" in refused.json["error"]) == (422, True)
    assert "b.wav;;;0.25\r\n" in (folder / "metadata.csv").read_bytes().decode()
    assert page.column == "label_ann"


def test_a_folder_without_a_table_gets_one(start: Callable[..., Labelling], folder: Path) -> None:
    (folder / "metadata.csv").unlink()
    (folder / "happy").mkdir()
    (folder / "a.wav").rename(folder / "happy" / "a.wav")
    page = start(folder, "Happy,sad")
    assert not (folder / "metadata.csv").exists()
    assert page.left == 2
    ask(page, "label", {"clip": 0, "label": "sad"})
    table = (folder / "metadata.csv").read_text()
    assert table == "file_name,label\nb.wav,sad\nfilm.avi,\nhappy/a.wav,Happy\n"


def test_what_browsers_do_not_play_is_converted(
    start: Callable[..., Labelling], folder: Path
) -> None:
    page = start(folder, "happy,sad")
    shown = ask(page, "clips/2").json
    assert (shown["type"], shown["pictures"]) == ("video/webm", True)
    assert ask(page, "media/2").body[:4] == b"\x1aE\xdf\xa3"


def test_players_can_seek(start: Callable[..., Labelling], folder: Path) -> None:
    page, content = start(folder, "happy,sad"), (folder / "a.wav").read_bytes()
    whole = ask(page, "media/0")
    assert (whole.status, whole.body) == (200, content)
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = ask(page, "media/0", Range="bytes=10-19")
    assert (part.status, part.body) == (206, content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert ask(page, "media/0", Range="bytes=-5").body == content[-5:]
    beyond = ask(page, "media/0", Range=f"bytes={len(content)}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{len(content)}")


def test_strangers_are_refused(start: Callable[..., Labelling], folder: Path) -> None:
    page, given = start(folder, "happy,sad"), {"clip": 0, "label": "sad"}
    port = urlsplit(page.address).port
    for path, options in (
        ("state", {"token": "x"}),
        ("label", {"token": "x", "body": given}),
        ("label", {"Host": "example.org", "body": given}),
        ("state", {"Host": f"affuse.example:{port}"}),
    ):
        assert ask(page, path, **options).status == 403
    assert ask(page, "label", given, Origin="http://example.org").status == 422
    assert ask(page, "label", given, Content_Type="text/plain").status == 422
    assert ask(page, "label", [given]).status == 422
    assert (folder / "metadata.csv").read_bytes() == TABLE.encode()
    policy = ask(page, "").headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_only_clips_are_served(start: Callable[..., Labelling], folder: Path) -> None:
    page = start(folder, "happy,sad")
    for path in ("../secret.txt", "media/../../secret.txt", "media/%2e%2e%2fsecret.txt", "media/"):
        assert ask(page, path).status in (403, 404)
    assert ask(page, "media/99").status == 422
    # A clip that becomes a link out of the folder once the page is open.
    (folder / "a.wav").unlink()
    (folder / "a.wav").symlink_to(folder.parent / "secret.txt")
    answer = ask(page, "media/0")
    assert answer.status == 422
    assert b"out of the folder" in answer.body


def test_the_page_needs_no_other_host(start: Callable[..., Labelling], folder: Path) -> None:
    page = start(folder, "happy,sad")
    for path in ("", "page.css", "page.js"):
        answer = ask(page, path)
        assert answer.status == 200
        assert not re.search(rb"""https?:|url\(|@import|["']//""", answer.body)


def test_a_table_that_changed_meanwhile_is_told_of(
    start: Callable[..., Labelling], folder: Path
) -> None:
    page = start(folder, "happy,sad")
    (folder / "metadata.csv").write_text("file_name,speaker\nb.wav,ann\n")
    gone = ask(page, "label", {"clip": 0, "label": "sad"})
    assert (gone.status, "no row of a.wav any more" in gone.json["error"]) == (422, True)
    ask(page, "label", {"clip": 1, "label": "sad"})
    assert (folder / "metadata.csv").read_text() == "file_name,speaker,label\nb.wav,ann,sad\n"


def test_what_tells_most_comes_first(
    start: Callable[..., Labelling], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"a.wav": "", "b.wav": "what a lovely day", "film.avi": "this is terrible"}
    rows = "".join(f"{name},{said}\n" for name, said in words.items())
    (folder / "metadata.csv").write_text(f"file_name,text\n{rows}")
    page = start(folder, "happy,sad", in_order=False, jobs=1)
    order = ask(page, "state").json["order"]
    why = [ask(page, f"clips/{number}").json["why"] for number in order]
    doubts = [sum(float(part.split()[1]) for part in line.split(", ")) for line in why]
    assert doubts == sorted(doubts, reverse=True)
    assert order[-1] == 0  # in which nothing is said, heard or seen
    page.stop()

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("affuse.extract.takes.read_recording", fail)
    kept = start(folder, "happy,sad", in_order=False, jobs=1)
    assert ask(kept, "state").json["order"] == order


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing tells what the labels are"),
        ({"labels": "happy"}, "1 classes"),
        ({"labels": "happy,Happy"}, "named twice"),
        ({"labels": "happy,nan"}, "no name of a class"),
        ({"labels": "a,b", "low": 1}, "both"),
        ({"low": 3, "high": -3}, "the lower first"),
        ({"labels": "a,b", "annotator": "../x"}, "annotator"),
        ({"labels": "a,b", "annotator": "id"}, "annotator"),
        ({"labels": "a,b", "checkpoint": "nowhere", "in_order": False}, "unknown checkpoint"),
    ],
)
def test_bad_options_are_refused(folder: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        label(folder, **{"in_order": True, **options})


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not there"):
        label(tmp_path / "none", "a,b")
    with pytest.raises(InputError, match="no table of clips"):
        label(folder / "a.wav", "a,b")
    (folder / "metadata.csv").write_text("file_name\nx.wav\n")
    with pytest.raises(InputError, match="no clip that is there"):
        label(folder, "a,b")
    (folder / "metadata.csv").rename(folder / "metadata.parquet")
    with pytest.raises(InputError, match="is Parquet"):
        label(folder, "a,b")
