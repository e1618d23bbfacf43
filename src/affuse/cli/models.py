"""`affuse models`: the registered models and their size at given widths."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from affuse.cli.common import JsonFile, SetOption, parse_settings, require_writable, write_json
from affuse.errors import InputError, unknown_name

DEFAULT = "text=300,audio=5,vision=20"


def models_command(
    widths: Annotated[
        str, typer.Option(help="Feature widths, for example text=384,audio=25,vision=35.")
    ] = DEFAULT,
    outputs: Annotated[int, typer.Option(min=1, help="Raw outputs of the task.")] = 1,
    assignments: SetOption = None,
    json_file: JsonFile = None,
) -> None:
    """List the models with their trainable parameters."""
    from affuse.fusion import count_parameters, create_model, members_of
    from affuse.fusion import models as registered

    require_writable(json_file)
    sizes = _parse_widths(widths)
    settings = parse_settings(assignments)
    known = {key for entry in registered().values() for key in entry.cls.Options.model_fields}
    for key in settings:
        if key not in known:
            raise unknown_name("setting", key, known)
    rows = []
    for name, entry in registered().items():
        own = {k: v for k, v in settings.items() if k in entry.cls.Options.model_fields}
        model = create_model(name, sizes, outputs, own)
        size = {"members": len(members_of(model)), "parameters": count_parameters(model)}
        rows.append({"name": name, **size, "summary": entry.summary})
    if write_json(json_file, rows):
        return
    table = Table("model", "members", "parameters", "what it is", title=f"Models at {widths}")
    table.columns[1].justify = table.columns[2].justify = "right"
    for row in rows:
        table.add_row(
            *(str(row["name"]), str(row["members"])),
            *(f"{row['parameters']:,}", str(row["summary"])),
        )
    Console().print(table)


def _parse_widths(text: str) -> dict[str, int]:
    widths: dict[str, int] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if not name or not value.isdecimal() or int(value) < 1:
            remedy = f"write, for example, {DEFAULT}"
            raise InputError(f"'{part}' is not modality=width", remedy=remedy, source="--widths")
        widths[name] = int(value)
    return widths
