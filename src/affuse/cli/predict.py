"""`affuse predict`: clips, folders or a stream to sentiment and emotion."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.common import (
    TO_SCREEN,
    AudioTrackOption,
    JsonFile,
    StrictOption,
    VideoTrackOption,
    given_words,
    keep_blas_to_one_thread,
    require_writable,
    say_notices,
)
from affuse.errors import InputError
from affuse.files import make_folder, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from affuse.extract.text.transcript import Transcript
    from affuse.runtime.many_clips import PredictedClip
    from affuse.runtime.predictor import Predictor

    Answering = Callable[..., Iterator[PredictedClip]]

Writer = Callable[[Path, dict[str, Any], Path], str]
"""Of a clip's path, its answer and the place of the file, the file's text."""

PathsArgument = Annotated[
    list[str], typer.Argument(metavar="PATH...", help="Files, folders or globs; - with --stream.")
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR", help="A checkpoint, or a folder of `affuse export`; by default all."
    ),
]


def predict_command(
    paths: PathsArgument,
    checkpoint: CheckpointOption = None,
    text: Annotated[str | None, typer.Option(help="What is said, in one clip.")] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What is said in one clip: .srt, .vtt, .json or text."),
    ] = None,
    recognise: Annotated[
        bool, typer.Option("--recognise", help="Recognise speech where no transcript is.")
    ] = False,
    audio_track: AudioTrackOption = None,
    video_track: VideoTrackOption = None,
    strict: StrictOption = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep answers there; what is done is skipped."),
    ] = None,
    json_file: JsonFile = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, one row a window.")] = False,
    as_srt: Annotated[bool, typer.Option("--srt", help="Captions with affect; a file.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="A page with the timeline.")] = False,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask a service of `affuse serve`.")
    ] = None,
    with_media: Annotated[
        bool, typer.Option("--with-media", help="The page plays its clip; with --html.")
    ] = False,
    copy_media: Annotated[
        bool, typer.Option("--copy-media", help="Also, from a copy in a folder beside the page.")
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Answer each second while a file grows, or for -.")
    ] = False,
    idle: Annotated[
        float, typer.Option(min=0, help="Seconds without growth after which a stream has ended.")
    ] = 5.0,
) -> None:
    """Say what affect a recording shows, which modality said so, and where they disagree."""
    keep_blas_to_one_thread()
    from affuse.extract.media.tracks import Wanted
    from affuse.runtime.predictor import Predictor

    require_writable(json_file)
    as_json = json_file == TO_SCREEN
    if as_json and as_csv and out is None:
        raise InputError("--json and --csv both", remedy="choose one, or add --out FOLDER")
    if server is not None and stream:
        remedy = "leave out --server, or send to its /v1/live (docs/serve.md)"
        raise InputError("--stream of a service", remedy=remedy)
    # A checkpoint of the service is known there alone.
    predictor = Predictor.from_pretrained(checkpoint) if server is None else None
    said = given_words(text, transcript)
    plays = with_media or copy_media
    if plays and not as_html:
        raise InputError("--with-media without a page", remedy="add --html")
    tracks = Wanted(audio_track, video_track)
    if stream:
        forms = {"--csv": as_csv, "--srt": as_srt, "--html": as_html}
        _require_no_files(option for option, asked in forms.items() if asked)
        reading = {"recognise": recognise, "tracks": tracks}
        assert predictor is not None
        notices = _stream(predictor, paths, said, reading, idle=idle, as_json=as_json)
        raise typer.Exit(2 if strict and notices else 0)
    wanted = {"csv": as_csv and out is not None, "srt": as_srt, "html": as_html}
    reading = {"recognise": recognise, "tracks": tracks, "strict": strict}
    answering = _locally(predictor) if predictor else _by_service(server or "", checkpoint)
    writers = _writers(wanted, plays=plays, copy=copy_media)
    done = _predict(answering, paths, said, reading, out=out, writers=writers)
    answers = [one.content for one in done if one.content is not None]
    _tell(answers, json_file, as_csv=as_csv and out is None)
    if any(one.error is not None for one in done):
        raise typer.Exit(2)


def _require_no_files(options: Iterator[str]) -> None:
    for option in options:
        raise InputError(f"{option} of a stream", remedy="use --json, or leave out --stream")


def _tell(answers: list[dict[str, Any]], json_file: Path | None, *, as_csv: bool) -> None:
    """Print answers, as CSV, JSON or a table; JSON goes to its file where one is named."""
    as_json = json_file == TO_SCREEN
    if as_csv:
        from affuse.report.answer_files import to_csv

        typer.echo(to_csv(answers), nl=False)
    elif not as_json:
        _show(answers)
    if json_file is not None:
        lines = "".join(f"{_line(answer)}\n" for answer in answers)
        if as_json:
            typer.echo(lines, nl=False)
        else:
            write_atomic(json_file, lines.encode())


def _locally(predictor: Predictor) -> Answering:
    """Answers on the spot, one clip after the other."""
    from affuse.runtime.many_clips import predict_clips

    return partial(predict_clips, predictor)


def _by_service(url: str, checkpoint: str | None) -> Answering:
    """The same answers from a service, several clips at once."""
    from affuse.service.client import Options, ServiceClient, answer_clips

    client = ServiceClient(url)

    def answering(clips: Any, *, on_clip: Any, recognise: bool, tracks: Any, **given: Any) -> Any:
        del on_clip
        options = Options(checkpoint, recognise, tracks.audio, tracks.video)
        return answer_clips(client, clips, options, **given)

    return answering


def _writers(wanted: dict[str, bool], *, plays: bool, copy: bool) -> dict[str, Writer]:
    """By its suffix, what makes a file of an answer."""
    from affuse.report.answer_files import to_csv, to_srt
    from affuse.report.case_media import clip_media
    from affuse.report.pages import prediction_page

    def page(clip: Path, content: dict[str, Any], place: Path) -> str:
        seconds = content["duration"]
        media = clip_media(clip, seconds, place, copy=copy) if plays else None
        if media is not None and media.notice:
            say_notices(clip, [media.notice])
        return prediction_page(content, media)

    writers: dict[str, Writer] = {
        "csv": lambda _, content, __: to_csv([content]),
        "srt": lambda _, content, __: to_srt(content),
        "html": page,
    }
    return {suffix: writers[suffix] for suffix, asked in wanted.items() if asked}


def _predict(
    answering: Answering,
    paths: Sequence[str],
    said: Transcript | None,
    reading: dict[str, Any],
    *,
    out: Path | None,
    writers: dict[str, Writer],
) -> list[PredictedClip]:
    """Answers for all clips, with their files written; each error has its line on the way."""
    from affuse.extract.folder import find_clips, require_distinct
    from affuse.progress import work_bar

    if "-" in paths:
        remedy = "add --stream (an mp4 must then be fragmented, or have its index first)"
        raise InputError("standard input is read as a stream only", remedy=remedy)
    clips = find_clips(paths)
    if out is not None or writers:
        require_distinct(clips)
    if said is not None and len(clips) > 1:
        remedy = "lay each transcript beside its clip under the same name"
        raise InputError(f"one transcript for {len(clips)} clips", remedy=remedy)
    results: list[PredictedClip] = []
    with work_bar("predict", "clips") as update:

        def on_clip(clip: Any, done: float, total: float | None) -> None:
            of = "" if total is None else f" of {total:.0f}"
            update(len(results), len(clips), f"{clip.path.name}: {done:.0f}{of} s")

        update(0, len(clips), "")
        for one in answering(clips, out=out, transcript=said, on_clip=on_clip, **reading):
            results.append(one)
            update(len(results), len(clips), one.clip.path.name)
            if one.content is None:
                typer.echo(f"affuse: {one.error}", err=True)
                continue
            say_notices(one.clip.path, one.content["notices"])
            for suffix, write in writers.items():
                place = (out or Path()) / f"{one.clip.name}.{suffix}"
                make_folder(place.parent)
                write_atomic(place, write(one.clip.path, one.content, place).encode())
    return results


def _stream(
    predictor: Predictor,
    paths: Sequence[str],
    said: Transcript | None,
    reading: dict[str, Any],
    *,
    idle: float,
    as_json: bool,
) -> list[str]:
    """An answer each second, as soon as it is there; what was lost is told at the end."""
    from affuse.extract.account import Account
    from affuse.extract.media.live import Follower
    from affuse.report.answer_files import affect_line

    if len(paths) != 1:
        raise InputError("several streams", remedy="give one file, or - for standard input")
    source = sys.stdin.buffer if paths[0] == "-" else Path(paths[0])
    account = Account()
    with Follower(source, idle) as follower:
        for window, latency in predictor.stream(follower, said, account=account, **reading):
            content = {**window.to_dict(), "latency": round(latency, 3)}
            if as_json:
                typer.echo(_line(content))
            else:
                typer.echo(f"{window.end:8.1f} s  {affect_line(content)}  ({latency:.2f} s later)")
            sys.stdout.flush()
        say_notices(follower.name, account.notices)
    return account.notices


def _line(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def _show(answers: Sequence[dict[str, Any]]) -> None:
    """A table of clips, or of the windows of a single one."""
    from affuse.report.answer_files import account_lines, top_emotion

    if not answers:
        return
    single = len(answers) == 1 and len(answers[0]["timeline"]) > 1
    rows = [*answers, *answers[0]["timeline"]] if single else list(answers)
    names = ("clip", "seconds", "sentiment", "emotion", "primary", "conflict")
    table = Table(*names, *(() if single else ("notices",)))
    if len(answers) == 1:
        table.caption = escape("\n".join(account_lines(answers[0])))
        table.caption_justify = "left"
    for row in rows:
        top, primary = top_emotion(row), row["primary"]
        start, end = row.get("start", 0.0), row.get("end", row.get("duration"))
        emotion = "" if top is None else f"{top} {row['emotion'][top]:.0%}"
        table.add_row(
            Path(row["file"]).name if "file" in row else "",
            f"{start:.1f}-{end:.1f}",
            "" if row["sentiment"] is None else f"{row['sentiment']:+z.2f}",
            emotion if row["gate"] else "nothing seen or heard",
            "" if primary is None else f"{primary} {row['gate'][primary]:.2f}",
            "" if row["conflict"] is None else f"{row['conflict']:.2f}",
            *(() if single else (str(len(row["notices"]) or ""),)),
        )
    Console().print(table)
