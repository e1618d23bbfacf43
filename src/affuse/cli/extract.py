"""`affuse extract`: features of text, voice and face from media files."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.common import (
    AddressOption,
    AudioTrackOption,
    EngineOption,
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
from affuse.scale.ray_cluster import require_engine

if TYPE_CHECKING:
    from affuse.extract.clip import ClipSettings
    from affuse.extract.folder import Extracting


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
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORM",
            help="npz, a file a clip; or of one folder of labelled clips parquet, hf (a Hugging "
            "Face dataset), mult or mmsa (pickles): then --set gives options of the corpus clips.",
        ),
    ] = "npz",
    again: Annotated[bool, typer.Option(help="Extract also what was extracted before.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default 1, of a corpus or a cluster all cores."),
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    json_file: JsonFile = None,
) -> None:
    """Extract text, voice and face from media; exits with 2 where a file could not be read."""
    require_writable(json_file)
    keep_blas_to_one_thread()
    if form != "npz":
        settings = {**parse_settings(assignments), **_strictly(strict)}
        with _recordings_read_by(engine, jobs, address):
            _write_corpus(paths, out, form, settings | ({} if jobs is None else {"jobs": jobs}))
        return
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
            extracting=_extracting_by(extractor.settings, engine, jobs, address),
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


def _extracting_by(
    settings: ClipSettings, engine: str, jobs: int | None, address: str | None
) -> Extracting | None:
    """What does the work; None for this process."""
    require_engine(engine, address)
    from affuse.scale import extraction

    if engine == "ray":
        return extraction.extracting_by_ray(settings, jobs, address)
    return None if jobs in (None, 1) else extraction.extracting_by_processes(settings, jobs)


def _recordings_read_by(
    engine: str, jobs: int | None, address: str | None
) -> AbstractContextManager[None]:
    """Likewise of the clips of a corpus."""
    require_engine(engine, address)
    if engine == "local":
        return nullcontext()
    from affuse.extract.takes import recordings_read_by
    from affuse.scale.extraction import recordings_by_ray

    return recordings_read_by(recordings_by_ray(jobs, address))


def _strictly(strict: bool) -> dict[str, Any]:
    return {"strict": True} if strict else {}


def _write_corpus(paths: list[str], out: Path, form: str, settings: dict[str, Any]) -> None:
    """Write a folder of labelled clips, its first fold, as another tool reads it."""
    from affuse.errors import InputError, unknown_name
    from affuse.progress import say
    from affuse.readers.interchange import FORMS, write_corpus
    from affuse.readers.registry import load_corpus

    if form not in FORMS:
        raise unknown_name("format", form, ("npz", *FORMS))
    if len(paths) != 1:
        remedy = "give one folder of labelled clips"
        raise InputError(f"{len(paths)} paths for one {form}", remedy=remedy)
    corpus = load_corpus("clips", Path(paths[0]), settings)
    for line in corpus.notices:
        say(line)
    for file in write_corpus(corpus, out, form):
        typer.echo(f"{corpus.name} written to {file}")


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
