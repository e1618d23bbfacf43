"""The page: files of the package, by their names and no others."""

from __future__ import annotations

import mimetypes
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response

from affuse.report.page_parts import FOLDER
from affuse.service.refusal import Refused

router = APIRouter()


@router.get("/{name:path}", include_in_schema=False)
def page(name: str) -> Response:
    """A file of the page; their names are those of the package, and no others."""
    name = name or "index.html"
    found = _page_files().get(name)
    if found is None:
        raise Refused(404, "there is nothing here")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(found, media_type=kind, headers={"Cache-Control": "no-cache"})


@cache
def _page_files() -> dict[str, bytes]:
    """The page's own files, and the components that it shares with pages on disk."""
    folders = {"": files("affuse.service") / "page", "components/": FOLDER}
    return {
        f"{where}{entry.name}": entry.read_bytes()
        for where, folder in folders.items()
        for entry in folder.iterdir()
        if entry.is_file()
    }
