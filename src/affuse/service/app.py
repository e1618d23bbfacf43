"""The service as an application: its parts, its routes, and what becomes of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from affuse import __version__
from affuse.service import general_routes, job_routes, live_routes, page_routes
from affuse.service.crew import Crew
from affuse.service.guards import Guards
from affuse.service.job import Job, Places
from affuse.service.keys import Keys
from affuse.service.ledger import Ledger, Unavailable
from affuse.service.live_crew import LiveCrew
from affuse.service.messenger import Messenger
from affuse.service.offered import Offered
from affuse.service.office import Office
from affuse.service.outward import Outward
from affuse.service.rates import Rates
from affuse.service.refusal import Refused, later
from affuse.service.settings import ServiceSettings
from affuse.service.state import Service
from affuse.service.telemetry import Telemetry


def create_service(settings: ServiceSettings, telemetry: Telemetry | None = None) -> Service:
    """The parts of a service, which has not begun to work.

    Raises:
        InputError: settings that cannot be used, or a folder in which another service works.
    """
    told = Telemetry() if telemetry is None else telemetry
    offered = Offered(settings.checkpoints)
    keys = None if settings.keys is None else Keys.read(settings.keys)
    outward = Outward(
        settings.allowed_hosts, most_bytes=settings.most_bytes, secret=settings.secret
    )
    ledger, places = Ledger(settings.data), Places(settings.data / "clips")

    def on_end(job: Job, how: str, seconds: float) -> None:
        told.ended(how, seconds)
        told.say("ended", job=job.id, how=how, seconds=round(seconds, 2))

    office = Office(
        ledger,
        places,
        Crew(settings.workers, seconds=settings.job_seconds, megabytes=settings.memory),
        checkpoint=offered.place,
        fetch=outward.fetch,
        longest=settings.max_seconds,
        keep=settings.keep,
        on_end=on_end,
    )
    return Service(
        settings=settings,
        ledger=ledger,
        places=places,
        office=office,
        messenger=Messenger(ledger, outward.call_back),
        keys=keys,
        rates=Rates(settings.rate),
        offered=offered,
        outward=outward,
        live=LiveCrew(settings.live),
        telemetry=told,
    )


def create_app(service: Service) -> FastAPI:
    """The application, which works from its start to its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.office.start()
        service.messenger.start()
        yield
        service.messenger.stop()
        service.live.close()
        service.office.stop(service.settings.grace)
        service.ledger.close()

    app = FastAPI(
        title="affuse",
        version=__version__,
        description="Affect from recordings: what is said, how it is said, and the face.",
        root_path=service.settings.root_path,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.include_router(general_routes.router)
    app.include_router(job_routes.router)
    app.include_router(live_routes.router)
    # It takes every path that is left.
    app.include_router(page_routes.router)
    app.add_middleware(Guards, names=service.settings.public_hosts, telemetry=service.telemetry)
    _handle_errors(app, service)
    return app


def _handle_errors(app: FastAPI, service: Service) -> None:
    """Every error is one line of JSON."""

    @app.exception_handler(Refused)
    async def refuse(_: Request, error: Any) -> JSONResponse:
        return JSONResponse({"error": error.line}, error.status, error.headers)

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, _: Any) -> JSONResponse:
        service.telemetry.say("unavailable", "error")
        return await refuse(request, later(503, "the list of jobs cannot be used now", 5))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: Any) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][1:]))
        return JSONResponse({"error": f"'{where}': {first['msg']}"}, 422)

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: Any) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> JSONResponse:
        service.telemetry.say("fault", "error", kind=type(error).__name__)
        return JSONResponse({"error": "a fault of the service"}, 500)
