"""`affuse predict`: clips, folders or a stream to sentiment and emotion."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from affuse.cli.common import (
    TO_SCREEN,
    AddressOption,
    AudioTrackOption,
    EngineOption,
    JsonFile,
    StrictOption,
    VideoTrackOption,
    given_words,
    json_line,
    keep_blas_to_one_thread,
    require_writable,
    say_notices,
)
from affuse.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from affuse.extract.text.transcript import Transcript
    from affuse.runtime.predictor import Predictor

PathsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...", help="Files, folders, globs, tables of paths or URLs; - with --stream."
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|DIR",
        help="A checkpoint, or a folder of `affuse export`; by default those of English.",
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
    window: Annotated[
        float | None,
        typer.Option(
            min=1, max=60, metavar="SECONDS", help="Of windows; by default they follow speech."
        ),
    ] = None,
    adapt: Annotated[
        str,
        typer.Option(
            metavar="TO",
            help="Adapt features to the recording, folder, speaker (of transcripts, of a table's "
            "column, or --speaker-from), or none.",
        ),
    ] = "recording",
    faces: Annotated[
        str,
        typer.Option(
            metavar="one|all", help="The face that speaks, or all: a timeline of each, too."
        ),
    ] = "one",
    speaker_from: Annotated[
        str | None,
        typer.Option(metavar="REGEX", help="Finds the speaker in a file's name, as its group."),
    ] = None,
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
    with_media: Annotated[
        bool, typer.Option("--with-media", help="The page plays its clip; with --html.")
    ] = False,
    copy_media: Annotated[
        bool, typer.Option("--copy-media", help="Also, from a copy in a folder beside the page.")
    ] = False,
    server: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask a service of `affuse serve`.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Answer each second while a file grows, or for -.")
    ] = False,
    idle: Annotated[
        float, typer.Option(min=0, help="Seconds without growth after which a stream has ended.")
    ] = 5.0,
    parquet: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep tables there; what is done is skipped."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; by default 1 for a few clips, else all cores."),
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Only every N-th clip, from the I-th on.")
    ] = "1/1",
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="That a clip may take.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=1, metavar="MB", help="That the process of a clip may hold.")
    ] = None,
    max_errors: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Give up after more clips have failed.")
    ] = None,
    engine: EngineOption = "local",
    address: AddressOption = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Where onnxruntime works: auto, cpu, cuda or dml; auto takes what it has.",
        ),
    ] = "auto",
) -> None:
    """Say what affect a recording shows, which modality said so, and where they disagree."""
    keep_blas_to_one_thread()
    from affuse.extract.media.tracks import Wanted

    require_writable(json_file)
    as_json = json_file == TO_SCREEN
    if as_json and as_csv and out is None:
        raise InputError("--json and --csv both", remedy="choose one, or add --out FOLDER")
    said = given_words(text, transcript)
    plays = with_media or copy_media
    if plays and not as_html:
        raise InputError("--with-media without a page", remedy="add --html")
    tracks = Wanted(audio_track, video_track)
    if server is not None and device != "auto":
        raise InputError("--device of a service", remedy="leave it out; the service has its own")
    if stream:
        if server is not None:
            remedy = "leave out --server, or send to its /v1/live (docs/serve.md)"
            raise InputError("--stream of a service", remedy=remedy)
        forms = {"--csv": as_csv, "--srt": as_srt, "--html": as_html}
        forms |= {"--parquet": parquet is not None, "--faces all": faces != "one"}
        _require_no_files(option for option, asked in forms.items() if asked)
        from affuse.runtime.predictor import Predictor

        reading = {"recognise": recognise, "tracks": tracks}
        predictor = Predictor.from_pretrained(checkpoint, device=device)
        notices = _stream(predictor, paths, said, reading, idle=idle, as_json=as_json)
        raise typer.Exit(2 if strict and notices else 0)
    from affuse.cli.predicting import Wishes, predict_and_tell, service_engine
    from affuse.extract.features import one_of_faces
    from affuse.extract.text.transcript import Beside
    from affuse.process_pool import Limits
    from affuse.runtime.adapting import one_of_adapt
    from affuse.runtime.many_clips import Reading
    from affuse.scale.prediction import Request
    from affuse.scale.shards import Shard

    _require_no_pipe(paths)
    wanted = {"csv": as_csv and out is not None, "srt": as_srt, "html": as_html}
    files = tuple(form for form, asked in wanted.items() if asked)
    request = Request(
        tuple(paths),
        checkpoint,
        Reading(
            *(tracks, recognise, strict, window, one_of_adapt(adapt), speaker_from),
            faces=one_of_faces(faces),
        ),
        None if said is None else Beside(said),
        out=out,
        parquet=parquet,
        distinct=bool(files),
        jobs=jobs,
        shard=Shard.parse(shard),
        limits=Limits(timeout, memory),
        max_errors=max_errors,
        engine=engine if server is None else service_engine(server, engine, checkpoint, jobs),
        address=address,
        device=device,
    )
    wishes = Wishes(files, json_file, as_csv and out is None, plays=plays, copies=copy_media)
    if predict_and_tell(request, wishes):
        raise typer.Exit(2)


def _require_no_pipe(paths: Sequence[str]) -> None:
    if "-" in paths:
        remedy = "add --stream (an mp4 must then be fragmented, or have its index first)"
        raise InputError("standard input is read as a stream only", remedy=remedy)


def _require_no_files(options: Iterator[str]) -> None:
    for option in options:
        raise InputError(f"{option} of a stream", remedy="use --json, or leave out --stream")


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
                typer.echo(json_line(content))
            else:
                typer.echo(f"{window.end:8.1f} s  {affect_line(content)}  ({latency:.2f} s later)")
            sys.stdout.flush()
        say_notices(follower.name, account.notices)
    return account.notices
