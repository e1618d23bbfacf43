"""The page: files of the package, by their names and no others."""

from __future__ import annotations

import mimetypes
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Response

from affuse.service.refusal import Refused

router = APIRouter()


@router.get("/", include_in_schema=False)
@router.get("/{name:path}", include_in_schema=False)
def page(name: str = "index.html") -> Response:
    """A file of the page; their names are those of the package, and no others."""
    found = _page_files().get(name)
    if found is None:
        raise Refused(404, "there is nothing here")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(found, media_type=kind, headers={"Cache-Control": "no-cache"})


@cache
def _page_files() -> dict[str, bytes]:
    folder = files("affuse.service") / "page"
    if not folder.is_dir():
        return {}
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}
