"""What all requests of one service share."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection

from affuse.service.job import Job, Places, is_id
from affuse.service.keys import COOKIE, NOBODY, Keys, bearer
from affuse.service.ledger import Ledger
from affuse.service.live_crew import LiveCrew
from affuse.service.messenger import Messenger
from affuse.service.offered import Offered
from affuse.service.office import Office
from affuse.service.outward import Outward
from affuse.service.rates import Rates
from affuse.service.refusal import Refused, later
from affuse.service.settings import ServiceSettings
from affuse.service.telemetry import Telemetry


@dataclass(frozen=True)
class Service:
    """The parts of a running service."""

    settings: ServiceSettings
    ledger: Ledger
    places: Places
    office: Office
    messenger: Messenger
    keys: Keys | None
    rates: Rates
    offered: Offered
    outward: Outward
    live: LiveCrew
    telemetry: Telemetry

    def owner(self, connection: HTTPConnection) -> str:
        """Who asks; `Refused` where a key is needed and none of ours is given."""
        if self.keys is None:
            return NOBODY
        key = bearer(connection.headers.get("authorization"), connection.cookies.get(COOKIE))
        owner = self.keys.owner(key)
        if owner is None:
            raise Refused(
                401,
                "a key is needed; send Authorization: Bearer KEY",
                {"WWW-Authenticate": "Bearer"},
            )
        return owner

    def require_rate(self, connection: HTTPConnection, owner: str, count: int = 1) -> None:
        """Raise `Refused` where somebody asks for more jobs than a minute allows."""
        address = connection.client.host if connection.client is not None else ""
        wait = self.rates.take(f"key {owner}" if owner else f"at {address}", count)
        if wait:
            raise later(429, f"too many jobs a minute; wait {wait} s", wait)

    def require_room(self, count: int = 1) -> None:
        """Raise `Refused` where the queue is full, before anything is read."""
        if self.office.stopping:
            raise later(503, "the service ends; ask again later", 10)
        if self.ledger.counts()["queued"] + count > self.settings.max_queue:
            raise self.full()

    def full(self) -> Refused:
        return later(429, "the queue is full; ask again later", 30)

    def job(self, job: str, owner: str) -> Job:
        """A job of somebody; `Refused` where they have none of that name."""
        found = self.ledger.job(job, owner) if is_id(job) else None
        if found is None:
            raise Refused(404, "there is no such job; it may have been deleted")
        return found
