"""What is not about one job: health, figures, checkpoints, the page's key."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from affuse.service.job_routes import Owner, service_of
from affuse.service.keys import COOKIE
from affuse.service.refusal import Refused
from affuse.service.shapes import problems

router = APIRouter()


@router.get("/healthz", tags=["health"])
async def healthz() -> dict[str, str]:
    """Whether the service lives."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], responses=problems(503))
def readyz(request: Request) -> Response:
    """Whether it takes jobs now."""
    service = service_of(request)
    service.ledger.counts()
    if service.office.stopping:
        raise Refused(503, "the service ends")
    return JSONResponse({"status": "ready"})


@router.get("/metrics", tags=["health"], response_class=PlainTextResponse, responses=problems(503))
def metrics(request: Request) -> Response:
    """Figures for Prometheus; no key is needed, since they name nobody."""
    service = service_of(request)
    text = service.telemetry.metrics(service.ledger.counts(), service.live.busy)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


@router.get("/v1/checkpoints", tags=["checkpoints"], responses=problems(401))
def checkpoints(request: Request, owner: Owner) -> dict[str, Any]:
    """The checkpoints that answers come from."""
    del owner
    return service_of(request).offered.to_dict()


@router.post("/v1/session", status_code=204, tags=["page"], responses=problems(401))
def open_session(request: Request, owner: Owner) -> Response:
    """Keep the key of this request in a cookie, which no script can read, for the page's player."""
    del owner
    response = Response(status_code=204)
    header = request.headers.get("authorization", "")
    if header:
        response.set_cookie(
            COOKIE,
            header.partition(" ")[2].strip(),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
            path=f"{request.scope.get('root_path', '')}/",
        )
    return response


@router.delete("/v1/session", status_code=204, tags=["page"])
def close_session(request: Request) -> Response:
    """Forget that cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, path=f"{request.scope.get('root_path', '')}/")
    return response
