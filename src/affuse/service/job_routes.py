"""Jobs over HTTP: made, looked at, answered in several forms, followed and deleted."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from affuse.errors import AffuseError, InputError
from affuse.service.asking import asked_by_form, asked_by_json
from affuse.service.guards import SANDBOX
from affuse.service.job import Job, new_id
from affuse.service.job import Request as Asked
from affuse.service.refusal import Refused
from affuse.service.shapes import JOB_BODY, JobList, JobMade, JobState, problems
from affuse.service.state import Service
from affuse.service.uploads import read_body, read_form

router = APIRouter(prefix="/v1", tags=["jobs"])

_LARGEST_JSON = 1 << 18
_LOOKS, _SILENCE = 0.25, 15.0


def service_of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def owner_of(request: Request) -> str:
    return service_of(request).owner(request)


Owner = Annotated[str, Depends(owner_of)]


@router.post(
    "/jobs", status_code=202, response_model=JobMade, openapi_extra=JOB_BODY,
    responses=problems(400, 401, 408, 413, 415, 422, 429, 503, 507),
)  # fmt: skip
async def make_job(request: Request, owner: Owner) -> Any:
    """Send a clip, as a form, or the URLs of clips, as JSON: a job each."""
    service, kind = service_of(request), request.headers.get("content-type", "")
    await run_in_threadpool(service.require_room)
    if kind.lower().startswith("multipart/form-data"):
        service.require_rate(request, owner)
        made = [await _made_of_form(request, owner)]
    elif kind.partition(";")[0].strip().lower() == "application/json":
        made = await _made_of_urls(request, owner)
    else:
        raise Refused(415, "send multipart/form-data with a file, or JSON with urls")
    jobs = [{"id": job, "state": "queued"} for job in made]
    return {**jobs[0], "jobs": jobs}


async def _made_of_form(request: Request, owner: str) -> str:
    service, job = service_of(request), new_id()
    form = await read_form(request, service.settings, job, service.places)
    try:
        asked = asked_by_form(form)
        size = service.places.clip(job, asked.clip).stat().st_size
        if not size:
            raise Refused(422, "the clip is empty; send a recording")
        await _queue(service, job, owner, asked)
    except BaseException:
        await run_in_threadpool(service.places.remove, job)
        raise
    service.telemetry.received(size)
    return job


async def _made_of_urls(request: Request, owner: str) -> list[str]:
    service, body = service_of(request), bytearray()
    async for piece in read_body(request, service.settings):
        body += piece
        if len(body) > _LARGEST_JSON:
            raise Refused(413, "the JSON is too large; send fewer URLs")
    asked = asked_by_json(bytes(body))
    for one in asked:
        _require_allowed(service, one.url)
    service.require_rate(request, owner, len(asked))
    await run_in_threadpool(service.require_room, len(asked))
    made = [new_id() for _ in asked]
    for job, one in zip(made, asked, strict=True):
        await _queue(service, job, owner, one)
    return made


async def _queue(service: Service, job: str, owner: str, asked: Asked) -> None:
    _require_allowed(service, asked.callback)
    try:
        service.offered.require(asked.checkpoint)
    except InputError as error:
        raise Refused(422, str(error)) from None
    most = service.settings.max_queue
    submit = service.office.submit
    if not await run_in_threadpool(lambda: submit(job, owner, asked, most=most)):
        raise service.full()
    service.telemetry.say("queued", job=job)


def _require_allowed(service: Service, url: str | None) -> None:
    try:
        if url is not None:
            service.outward.require_allowed(url)
    except InputError as error:
        raise Refused(422, str(error)) from None


@router.get("/jobs", response_model=JobList, responses=problems(401, 422, 503))
def list_jobs(
    request: Request, owner: Owner, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Any:
    """The latest jobs, the latest first."""
    service = service_of(request)
    found = service.ledger.jobs(owner, most=limit)
    return {"jobs": [job.to_dict(service.office.progress(job)) for job in found]}


@router.get("/jobs/{job}", response_model=JobState, responses=problems(401, 404, 503))
async def look_at_job(
    request: Request, owner: Owner, job: str, wait: Annotated[float, Query(ge=0, le=60)] = 0.0
) -> Any:
    """How far a job is; after its end, or that many seconds, if it has not ended."""
    service = service_of(request)
    with service.office.ends.of(job) as ended:
        found = await run_in_threadpool(service.job, job, owner)
        if wait and not found.state.ended and not service.office.stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), wait)
            found = await run_in_threadpool(service.job, job, owner)
    return _told(service, found)


def _told(service: Service, job: Job) -> dict[str, Any]:
    return job.to_dict(service.office.progress(job))


@router.delete("/jobs/{job}", status_code=204, responses=problems(401, 404, 503))
def delete_job(request: Request, owner: Owner, job: str) -> Response:
    """Stop a job if it runs, and forget it with its files."""
    service = service_of(request)
    service.office.remove(service.job(job, owner).id)
    service.telemetry.say("deleted", job=job)
    return Response(status_code=204)


@router.get("/jobs/{job}/result", responses=problems(401, 404, 409, 503))
def result_of_job(
    request: Request,
    owner: Owner,
    job: str,
    format: Literal["json", "csv", "srt", "html"] = "json",  # noqa: A002 - its name in the address
) -> Response:
    """The answer: JSON as `affuse predict --json` prints it, a table, captions or a page."""
    service = service_of(request)
    found = service.job(job, owner)
    result = service.ledger.result(found.id)
    if result is None:
        told = _told(service, found)
        line = found.error or "there is no answer yet; ask again later"
        headers = {} if found.state.ended else {"Retry-After": "1"}
        return JSONResponse({**told, "error": line}, 409, headers)
    if format == "json":
        return Response(result, media_type="application/json")
    media_type, write = _forms()[format]
    shown = quote(f"{found.request.clip.name}.{format}", safe="")
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{shown}",
        "Content-Security-Policy": SANDBOX,
    }
    return Response(write(json.loads(result)), media_type=media_type, headers=headers)


def _forms() -> dict[str, tuple[str, Callable[[Mapping[str, Any]], str]]]:
    from affuse.report.answer_files import to_csv, to_srt
    from affuse.report.pages import prediction_page

    return {
        "csv": ("text/csv; charset=utf-8", lambda content: to_csv([content])),
        "srt": ("application/x-subrip; charset=utf-8", to_srt),
        "html": ("text/html; charset=utf-8", prediction_page),
    }


@router.get("/jobs/{job}/events", responses=problems(401, 404, 503))
async def follow_job(request: Request, owner: Owner, job: str) -> StreamingResponse:
    """Server-sent events: the job's state whenever it changes, until it ends."""
    service = service_of(request)
    await run_in_threadpool(service.job, job, owner)
    return StreamingResponse(_events(service, job, owner), media_type="text/event-stream")


async def _events(service: Service, job: str, owner: str) -> AsyncIterator[str]:
    before, silent = "", 0.0
    while not service.office.stopping:
        try:
            found = await run_in_threadpool(service.job, job, owner)
        except Refused:
            yield "event: deleted\ndata: {}\n\n"
            return
        told = json.dumps(_told(service, found))
        if told != before:
            yield f"event: {found.state}\ndata: {told}\n\n"
            before, silent = told, 0.0
        elif silent >= _SILENCE:
            yield ": still here\n\n"
            silent = 0.0
        if found.state.ended:
            return
        await asyncio.sleep(_LOOKS)
        silent += _LOOKS


@router.head("/jobs/{job}/media", include_in_schema=False)
@router.get("/jobs/{job}/media", responses=problems(401, 404, 416, 422, 503))
def media_of_job(
    request: Request,
    owner: Owner,
    job: str,
    form: Literal["sent", "playable"] = "sent",
) -> FileResponse:
    """The clip as it was sent or as browsers play it, or a range of it, for a player."""
    service = service_of(request)
    found = service.job(job, owner)
    place = service.places.clip(found.id, found.request.clip)
    if not place.is_file():
        raise Refused(404, "the clip is not kept any more")
    if form == "playable":
        try:
            place = service.office.playable(found)
        except AffuseError:
            raise Refused(422, "no browser can play the clip; read its answer alone") from None
    return FileResponse(
        place, media_type=_media_type(place), headers={"Content-Security-Policy": SANDBOX}
    )


def _media_type(place: Path) -> str:
    """By its suffix, and never one that a browser would run."""
    found = mimetypes.guess_type(place.name)[0] or ""
    return found if found.startswith(("video/", "audio/")) else "application/octet-stream"
