"""`affuse serve`: jobs over HTTP, live sessions and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affuse.config import parse_options
from affuse.errors import InputError


def serve_command(
    host: Annotated[str, typer.Option(help="Where to listen; by default this machine alone.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Jobs and clips; by default the user's data folder."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Clips at once; all cores by default.")
    ] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A folder of further checkpoints.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Let in those alone whose key is there.")
    ] = None,
    new_key: Annotated[
        str | None, typer.Option(metavar="NAME", help="Add a key to --keys, print it and end.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Keep clips and answers so long.")
    ] = None,
    max_upload: Annotated[int | None, typer.Option(metavar="MB", help="Of a clip.")] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Of a recording.")
    ] = None,
    max_queue: Annotated[int | None, typer.Option(help="Jobs that wait, at most.")] = None,
    job_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For one answer, at most.")
    ] = None,
    rate: Annotated[
        int | None, typer.Option(help="Jobs a minute of one key or address; 0 is any.")
    ] = None,
    live: Annotated[int | None, typer.Option(help="Live sessions at once.")] = None,
    memory: Annotated[
        int | None, typer.Option(metavar="MB", help="Of one worker, at most.")
    ] = None,
    grace: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="For running jobs, at the end.")
    ] = None,
    public_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name that it is reached by; repeat for more."),
    ] = None,
    proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="A proxy that is believed; repeat for more."),
    ] = None,
    root_path: Annotated[
        str | None, typer.Option(metavar="/PREFIX", help="Where a proxy shows it.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Fetch clips from there, call it back; repeat for more."),
    ] = None,
    secret: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Holds what callbacks are signed with.")
    ] = None,
) -> None:
    """Answer over HTTP, and show the page."""
    if new_key is not None:
        _print_key(keys, new_key)
        return
    from affuse.optional import require

    for module in ("fastapi", "uvicorn", "python_multipart", "websockets"):
        require(module, extra="serve")
    from affuse.service.serving import Serving
    from affuse.service.settings import ServiceSettings, usual_folder, usual_workers

    asked = {
        "host": host,
        "port": port,
        "data": usual_folder() if data is None else data,
        "workers": workers or usual_workers(),
        "checkpoints": checkpoints,
        "keys": keys,
        "keep": keep,
        "max_upload": max_upload,
        "max_seconds": max_seconds,
        "max_queue": max_queue,
        "job_seconds": job_seconds,
        "rate": rate,
        "live": live,
        "memory": memory,
        "grace": grace,
        "public_hosts": public_host,
        "proxies": proxy,
        "root_path": root_path,
        "allowed_hosts": allow_host,
        "secret": None if secret is None else _secret(secret),
    }
    given = {key: value for key, value in asked.items() if value is not None}
    serving = Serving(parse_options(ServiceSettings, given))
    typer.echo(f"affuse: the page is at {serving.address}; Ctrl-C ends", err=True)
    serving.run()


def _print_key(keys: Path | None, name: str) -> None:
    if keys is None:
        raise InputError("--new-key without --keys", remedy="add --keys FILE")
    from affuse.service.keys import add_key

    key = add_key(keys, name)
    typer.echo(key)
    typer.echo(f"affuse: the key of {name}, which is shown this once", err=True)


def _secret(path: Path) -> str:
    from affuse.files import read_at_most

    text = read_at_most(path, 1 << 12, "secret").decode(errors="replace").strip()
    if len(text) < 16:
        remedy = "write 16 letters or more, as of openssl rand -hex 32"
        raise InputError("is too short for a secret", remedy=remedy, source=path)
    return text
