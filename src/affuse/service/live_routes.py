"""Live sessions: sound and pictures in by WebSocket, an answer a second out."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from affuse.config import Options, parse_options
from affuse.errors import InputError
from affuse.service.live_crew import LiveLine
from affuse.service.live_worker import PICTURE, SOUND, Session
from affuse.service.refusal import Refused
from affuse.service.state import Service

router = APIRouter()

_LONGEST_WORD, _SILENCE, _GRACE = 1 << 14, 60.0, 30.0
_LARGEST = {SOUND: 1 << 19, PICTURE: 1 << 22}
# What WebSocket says of ends: no such thing, not allowed, try again later.
_WRONG, _FORBIDDEN, _LATER = 1003, 1008, 1013


class Start(Options):
    """The first message of a session."""

    sound: bool = True
    pictures: bool = False
    recognise: bool = False
    checkpoint: str | None = Field(default=None, max_length=200)
    key: str | None = Field(default=None, max_length=300)


class _EndedError(Exception):
    """A session that ends by a fault of whoever began it, told in one line."""

    def __init__(self, code: int, line: str) -> None:
        super().__init__(line)
        self.code, self.line = code, line


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """A session: `start`, then sound and pictures, then `end` (docs/serve.md)."""
    service: Service = socket.app.state.service
    await socket.accept()
    line: LiveLine | None = None
    whole = False
    try:
        session = await _begun(socket, service)
        line = await run_in_threadpool(service.live.take)
        if line is None:
            raise _EndedError(_LATER, "all live sessions are taken; try again later")
        whole = await _session(socket, line, session)
        await socket.close()
    except _EndedError as error:
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json({"type": "error", "error": error.line})
            await socket.close(error.code, error.line[:100])
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        if line is not None:
            await run_in_threadpool(service.live.give_back, line, whole=whole)
        service.telemetry.say("live ended")


async def _begun(socket: WebSocket, service: Service) -> Session:
    """The session that the first message asks for."""
    try:
        message = await asyncio.wait_for(_message(socket), _SILENCE)
        content = json.loads(message) if isinstance(message, str) else None
        asked = content.get("start") if isinstance(content, dict) else None
        if not isinstance(asked, dict):
            raise _EndedError(_WRONG, 'begin with {"start": {"sound": true}}')
        start = parse_options(Start, asked)
        service.offered.require(start.checkpoint)
        place = service.offered.place(start.checkpoint)
    except (ValueError, RecursionError):
        raise _EndedError(_WRONG, "the first message is not JSON") from None
    except TimeoutError:
        raise _EndedError(_WRONG, "nothing was sent") from None
    except InputError as error:
        raise _EndedError(_WRONG, str(error)[:500]) from None
    _require_key(socket, service, start.key)
    if not (start.sound or start.pictures):
        raise _EndedError(_WRONG, "neither sound nor pictures; send one of them")
    return Session(place, start.sound, start.pictures, start.recognise)


def _require_key(socket: WebSocket, service: Service, key: str | None) -> None:
    """A key may be in the first message, since browsers send no header with a WebSocket."""
    if service.keys is not None and key is not None and service.keys.owner(key) is not None:
        return
    try:
        owner = service.owner(socket)
    except Refused as error:
        raise _EndedError(_FORBIDDEN, error.line) from None
    del owner


async def _session(socket: WebSocket, line: LiveLine, session: Session) -> bool:
    """Carry a session from end to end; whether its process is fit for another."""
    whole, wrong = False, None
    try:
        await line.send(session)
        sending = asyncio.create_task(_send(socket, line))
        try:
            whole = await _answer(socket, line)
        finally:
            wrong = await _ended(sending)
    except (EOFError, OSError, TimeoutError):
        raise _EndedError(_LATER, "the process of the session ended; begin again") from None
    if wrong is not None:
        raise wrong
    return whole


async def _send(socket: WebSocket, line: LiveLine) -> None:
    """Carry what is sent to the process, and then the end of it."""
    try:
        while (piece := _piece(await asyncio.wait_for(_message(socket), _SILENCE))) is not None:
            await line.send(piece)
    except TimeoutError:
        raise _EndedError(_WRONG, "nothing was sent for a minute") from None
    finally:
        await line.send(None)


def _piece(message: str | bytes) -> bytes | None:
    """A piece of sound or a picture; None for the end."""
    if isinstance(message, str):
        with suppress(ValueError, RecursionError):
            if json.loads(message) == {"end": True}:
                return None
        raise _EndedError(_WRONG, 'a text that is not {"end": true}')
    kind = message[0] if message else 0
    if kind not in _LARGEST or len(message) > _LARGEST[kind] or len(message) < 2 * kind + 1:
        raise _EndedError(_WRONG, "a piece that is neither sound nor picture, or too large")
    return message


async def _answer(socket: WebSocket, line: LiveLine) -> bool:
    """Carry answers to whoever asks, until the process has told the end."""
    while True:
        kind, content = await asyncio.wait_for(line.receive(), _SILENCE + _GRACE)
        with suppress(WebSocketDisconnect, RuntimeError):
            await socket.send_json({"type": kind, **content})
        if kind in ("ended", "error"):
            return True


async def _ended(sending: asyncio.Task[None]) -> _EndedError | None:
    """Wait for the other direction to end; what was wrong with it, if anything was."""
    sending.cancel()
    try:
        await sending
    except _EndedError as error:
        return error
    except (asyncio.CancelledError, WebSocketDisconnect, RuntimeError, OSError):
        pass
    return None


async def _message(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    text = message.get("text")
    if text is not None and len(text) > _LONGEST_WORD:
        raise _EndedError(_WRONG, "a text that is too long")
    return str(text) if text is not None else bytes(message.get("bytes") or b"")
