"""What a request asks for, from a form or from JSON, checked before a job is made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field

from affuse.config import Options, parse_options
from affuse.errors import InputError
from affuse.service.job import Request, Sent, known_language, shown_name
from affuse.service.refusal import Refused
from affuse.service.uploads import Form

_LONGEST_TEXT, _LONGEST_URL, _MOST_URLS = 1 << 20, 2000, 100
_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no", "")


class Asked(Options):
    """The fields beside the files."""

    text: str | None = Field(default=None, max_length=_LONGEST_TEXT)
    checkpoint: str | None = Field(default=None, max_length=200)
    language: str | None = Field(default=None, max_length=40)
    recognise: bool = False
    audio_track: int | None = Field(default=None, ge=1, le=1000)
    video_track: int | None = Field(default=None, ge=1, le=1000)
    window: float | None = Field(default=None, ge=1, le=60)
    adapt: Literal["recording", "speaker", "none"] = "recording"
    faces: Literal["one", "all"] = "one"
    callback: str | None = Field(default=None, max_length=_LONGEST_URL)


class AskedOfUrls(Asked):
    """The same, and where the clips are."""

    urls: tuple[str, ...] = Field(min_length=1, max_length=_MOST_URLS)


def asked_by_form(form: Form) -> Request:
    """The request of a form whose files are in their places.

    Raises:
        Refused: no clip, or a field that cannot be used.
    """
    if "file" not in form.files:
        raise Refused(422, "the form has no field 'file'; send the clip there")
    given: dict[str, Any] = {key: text for key, text in form.texts.items() if text != ""}
    if "transcript" in given:
        raise Refused(422, "field 'transcript' is no file; send words as 'text'")
    if "recognise" in given:
        given["recognise"] = _flag(given["recognise"])
    asked = _parsed(Asked, given)
    transcript = form.files.get("transcript")
    if transcript is not None and asked.text is not None:
        raise Refused(422, "'text' and 'transcript' both say what is said; send one")
    return _request(asked, form.files["file"], transcript)


def asked_by_json(body: bytes) -> list[Request]:
    """The requests of `{"urls": [...]}`, one for each.

    Raises:
        Refused: anything else.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise Refused(400, 'the body is not JSON as {"urls": ["https://..."]}')
    asked = _parsed(AskedOfUrls, content)
    if any(len(url) > _LONGEST_URL or not url.isprintable() for url in asked.urls):
        raise Refused(422, "a URL is too long, or has letters that no URL has")
    return [
        _request(asked, Sent(name=_name_in(url)), None).model_copy(update={"url": url})
        for url in asked.urls
    ]


def _request(asked: Asked, clip: Sent, transcript: Sent | None) -> Request:
    try:
        language = known_language(asked.language)
    except InputError as error:
        raise Refused(422, str(error)) from None
    given = asked.model_dump(include=set(Asked.model_fields) - {"language"})
    return Request(clip=clip, transcript=transcript, language=language, **given)


def _parsed(model: Any, given: Mapping[str, Any]) -> Any:
    if given.get("adapt") == "folder":
        line = "adapt = 'folder': a service reads each clip by itself"
        raise Refused(422, f"{line}; send recording, speaker or none, or ask affuse predict")
    try:
        return parse_options(model, given)
    except InputError as error:
        raise Refused(422, str(error)[:500]) from None


def _flag(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise Refused(422, f"recognise = '{text[:40]}'; send true or false")
    return text.lower() in _TRUE


def _name_in(url: str) -> str:
    try:
        return shown_name(unquote(urlsplit(url).path))
    except ValueError:
        raise Refused(422, "a URL cannot be read") from None
