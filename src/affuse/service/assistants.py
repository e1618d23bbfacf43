"""Tools for assistants, by the Model Context Protocol: predict, timeline, conflicts, explain."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Annotated, Any, Literal, NamedTuple

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import Field

from affuse import __version__
from affuse.errors import AffuseError, InputError
from affuse.service.caution import CAUTION
from affuse.service.offered import Offered

_KEPT = 16
_SECONDS, _MEGABYTES = 1800.0, 4000.0
_LOCAL = ("127.0.0.1:*", "localhost:*", "[::1]:*")

File = Annotated[str, Field(description="a recording below the folders that are allowed")]
Text = Annotated[str | None, Field(description="what is said; by default the transcript beside it")]
Checkpoint = Annotated[
    str | None,
    Field(description="sentiment, emotion, circumplex; by default all three; or multilingual"),
]
Recognise = Annotated[bool, Field(description="recognise speech where there is no transcript")]
Seconds = Annotated[
    float | None,
    Field(ge=1, le=60, description="seconds of windows; by default they follow speech"),
]
Adapt = Annotated[
    Literal["recording", "speaker", "none"],
    Field(description="what features are adapted to: speakers are those that the transcript names"),
]

_WHOLE = (
    *("file", "duration", "sentiment", "interval", "values", "emotion", "undecided", "gate"),
    *("primary", "conflict", "trust", "face"),
)
_READ = (
    "adapted",
    "transcript",
    "streams",
    "faces",
    "speech",
    "notices",
    "checkpoint",
    "extractors",
)


class Asked(NamedTuple):
    """What a tool is asked of a file, as it came."""

    file: str
    text: str | None
    checkpoint: str | None
    recognise: bool
    window: float | None
    adapt: Literal["recording", "speaker", "none"]


class Clips:
    """Answers for clips below some folders, read by a process of its own.

    Args:
        allowed: the folders. Relative paths are below the first.
    """

    def __init__(self, allowed: Sequence[Path]) -> None:
        self.allowed = tuple(folder.resolve() for folder in allowed)
        for folder in self.allowed:
            if not folder.is_dir():
                raise InputError("is no folder", remedy="allow one that is", source=folder)
        self._offered = Offered(None)
        self._pools: dict[str | None, Any] = {}
        self._kept: OrderedDict[Any, dict[str, Any]] = OrderedDict()

    def place(self, file: str) -> Path:
        """Where a file lies; `InputError` outside the folders, wherever links lead."""
        try:
            found = (self.allowed[0] / file).resolve()
            there = found.is_file()
        except (OSError, ValueError, RuntimeError):
            raise _outside() from None
        if not any(found.is_relative_to(folder) for folder in self.allowed):
            raise _outside()
        if not there:
            raise InputError("no such file", remedy="check the path", source=file[:200])
        return found

    def answer(self, asked: Asked) -> dict[str, Any]:
        """The answer as JSON content, as `affuse predict --json` prints it.

        Raises:
            AffuseError: the file may not be read, or cannot.
        """
        path = self.place(asked.file)
        state = path.stat()
        key = *asked, state.st_mtime_ns, state.st_size
        if key not in self._kept:
            self._kept[key] = self._read(path, asked)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return {**self._kept[key], "file": asked.file}

    def close(self) -> None:
        """End the processes."""
        for pool in self._pools.values():
            pool.close()

    def _read(self, path: Path, asked: Asked) -> dict[str, Any]:
        from affuse.extract.folder import Clip
        from affuse.extract.text.transcript import Beside, Transcript
        from affuse.process_pool import Finished
        from affuse.runtime.many_clips import Reading
        from affuse.scale.clip_workers import ClipJob, predicted

        beside = None if asked.text is None else Beside(Transcript.of_text(asked.text))
        reading = Reading(recognise=asked.recognise, window=asked.window, adapt=asked.adapt)
        job = ClipJob(Clip(path, Path(path.name)), reading, beside)
        events: SimpleQueue[Any] = SimpleQueue()
        self._pool(asked.checkpoint).submit(job, events.put)
        while not isinstance(event := events.get(), Finished):
            pass
        found = predicted(event)
        if found.content is None:
            raise found.error or InputError("there is no answer", remedy="try again")
        return found.content

    def _pool(self, checkpoint: str | None) -> Any:
        from affuse.pool_worker import megabytes_of
        from affuse.process_pool import Limits
        from affuse.scale.clip_workers import clip_pool

        place = self._offered.place(checkpoint)
        if checkpoint not in self._pools:
            watched = None if megabytes_of(None) is None else _MEGABYTES
            self._pools[checkpoint] = clip_pool(place, limits=Limits(_SECONDS, watched))
        return self._pools[checkpoint]


def create_assistants(clips: Clips) -> MCPServer:
    """The server of the tools; each answer carries what it must not be used for."""
    server = MCPServer("affuse", version=__version__, instructions=CAUTION)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    read = partial(_reading, clips)
    for tool in (read(predict), read(timeline), _conflicts(clips), read(explain)):
        server.add_tool(tool, annotations=reads)
    return server


def run_over_http(server: MCPServer, port: int) -> None:
    """Serve on this machine alone, to whoever calls it by a name of it."""
    security = TransportSecuritySettings(
        allowed_hosts=list(_LOCAL), allowed_origins=[f"http://{host}" for host in _LOCAL]
    )
    server.run("streamable-http", host="127.0.0.1", port=port, transport_security=security)


async def _asked(clips: Clips, *asked: Any) -> dict[str, Any]:
    """An answer, with errors as the tools tell them."""
    try:
        return await asyncio.to_thread(clips.answer, Asked(*asked))
    except AffuseError as error:
        raise ToolError(str(error)) from None


def _told(content: dict[str, Any], keys: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"caution": CAUTION, **{key: content[key] for key in keys if key in content}, **more}


def _reading(clips: Clips, told: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """A tool that reads a file and tells of the answer what `told` does, by its name and words."""

    async def tool(
        file: File,
        text: Text = None,
        checkpoint: Checkpoint = None,
        recognise: Recognise = False,
        window: Seconds = None,
        adapt: Adapt = "recording",
    ) -> dict[str, Any]:
        return told(await _asked(clips, file, text, checkpoint, recognise, window, adapt))

    tool.__name__, tool.__doc__ = told.__name__, told.__doc__
    return tool


def predict(content: dict[str, Any]) -> dict[str, Any]:
    """Sentiment, emotion, valence and arousal of a recording, what was trusted, conflict."""
    return _told(content, (*_WHOLE, "notices"))


def timeline(content: dict[str, Any]) -> dict[str, Any]:
    """The same for each window of a recording, and the words with their times."""
    return _told(content, ("file", "duration", "timeline", "words", "notices"))


def explain(content: dict[str, Any]) -> dict[str, Any]:
    """What an answer rests on: what was read of a recording, what was lost, who was trusted."""
    from affuse.report.answer_files import account_lines, affect_line

    lines = [affect_line(content), *account_lines(content)]
    return _told(content, (*_WHOLE, *_READ), report=lines)


def _conflicts(clips: Clips) -> Callable[..., Any]:
    async def conflicts(
        file: File,
        text: Text = None,
        checkpoint: Checkpoint = None,
        recognise: Recognise = False,
        window: Seconds = None,
        adapt: Adapt = "recording",
        most: Annotated[int, Field(ge=1, le=100, description="windows, at most")] = 5,
    ) -> dict[str, Any]:
        """The windows where words, voice and face contradict each other most."""
        from affuse.report.answer_files import words_in

        content = await _asked(clips, file, text, checkpoint, recognise, window, adapt)
        known = [window for window in content["timeline"] if window["conflict"] is not None]
        known.sort(key=lambda window: -window["conflict"])
        said = [
            {**w, "words": " ".join(word["word"] for word in words_in(content["words"], w))}
            for w in known[:most]
        ]
        return _told(content, ("file", "duration", "conflict", "notices"), conflicts=said)

    return conflicts


def _outside() -> InputError:
    return InputError("a file outside the folders that are allowed", remedy="allow its folder")
