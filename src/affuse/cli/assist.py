"""`affuse mcp`: tools for assistants, over standard input and output or HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mcp_command(
    allow: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Read files below it; repeat for more. By default this folder."
        ),
    ] = None,
    http: Annotated[bool, typer.Option("--http", help="Over HTTP, on this machine alone.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="With --http.")] = 8001,
) -> None:
    """Offer predict, timeline, conflicts and explain to assistants (MCP)."""
    from affuse.optional import require

    require("mcp", extra="mcp")
    from affuse.service.assistants import Clips, create_assistants, run_over_http

    clips = Clips(allow or [Path()])
    server = create_assistants(clips)
    try:
        if http:
            typer.echo(f"affuse: the tools are at http://127.0.0.1:{port}/mcp", err=True)
            run_over_http(server, port)
        else:
            server.run("stdio")
    except KeyboardInterrupt:
        pass
    finally:
        clips.close()
