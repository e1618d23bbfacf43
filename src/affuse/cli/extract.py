"""`affuse extract`: features of text, voice and face from media files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.common import (
    AudioTrackOption,
    JsonFile,
    StrictOption,
    VideoTrackOption,
    given_words,
    keep_blas_to_one_thread,
    parse_settings,
    require_writable,
    say_notices,
    write_json,
)
from affuse.config import parse_options
from affuse.progress import work_bar


def extract_command(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders or globs.")],
    out: Annotated[Path, typer.Option(help="The folder for one npz file a clip.")],
    text: Annotated[
        str | None, typer.Option(help="What is said in the one file that is named.")
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(help="The transcript of the one file: .srt, .vtt, .json or plain text."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of extraction; repeatable."),
    ] = None,
    audio_track: AudioTrackOption = None,
    video_track: VideoTrackOption = None,
    strict: StrictOption = False,
    again: Annotated[bool, typer.Option(help="Extract also what was extracted before.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Extract text, voice and face from media; exits with 2 where a file could not be read."""
    require_writable(json_file)
    keep_blas_to_one_thread()
    from affuse.extract.clip import ClipExtractor, ClipSettings, OnSeconds
    from affuse.extract.folder import ExtractedClip, extract_all
    from affuse.extract.media.tracks import Wanted

    extractor = ClipExtractor(parse_options(ClipSettings, parse_settings(assignments)))
    words = given_words(text, transcript)
    outcomes: list[ExtractedClip] = []
    with work_bar("extracting", unit="clips") as update:

        def on_clip(number: int, total: int, file: Path) -> OnSeconds:
            update(number, total, file.name)

            def on_seconds(done: float, length: float | None) -> None:
                known = f" of {length:.0f}" if length else ""
                update(number, total, f"{file.name}: {done:.0f}{known} s")

            return on_seconds

        found = extract_all(
            *(extractor, paths, out),
            transcript=words,
            tracks=Wanted(audio_track, video_track),
            strict=strict,
            again=again,
            on_clip=on_clip,
        )
        for outcome in found:
            outcomes.append(outcome)
            if outcome.error is not None:
                typer.echo(f"affuse: {outcome.error}", err=True)
            elif outcome.clip is not None:
                say_notices(outcome.file, outcome.clip.account["notices"])
    described = [_describe(outcome) for outcome in outcomes]
    if not write_json(json_file, described):
        _print(described)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(2)


def _describe(outcome: Any) -> dict[str, Any]:
    described: dict[str, Any] = {"file": str(outcome.file), "out": None, "error": outcome.error}
    if outcome.clip is not None:
        clip = outcome.clip
        having = Counter(m for w in clip.windows for m in w.sample.sequences)
        described |= {
            "out": str(outcome.out),
            "skipped": outcome.skipped,
            "duration": round(clip.duration, 3),
            "windows": len(clip.windows),
            "words": len({word for w in clip.windows for word in w.words}),
            "modalities": {m: having[m] for m in ("text", "audio", "vision")},
            "extractors": dict(clip.extractors),
            **clip.account,
        }
    return described


def _print(described: list[dict[str, Any]]) -> None:
    table = Table("file", "seconds", "windows", "words", "text", "audio", "vision", "")
    for entry in described:
        if entry["error"] is not None:
            table.add_row(escape(entry["file"]), *[""] * 6, "not read")
            continue
        numbers = [f"{entry['duration']:.1f}", str(entry["windows"]), str(entry["words"])]
        modalities = [str(count) for count in entry["modalities"].values()]
        note = "as before" if entry["skipped"] else ""
        table.add_row(escape(entry["file"]), *numbers, *modalities, note)
    Console().print(table)
