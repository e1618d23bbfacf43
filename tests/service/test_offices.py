"""What becomes of jobs: limits, restarts, ends and what is thrown away."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from asking import Asking

from affuse.errors import InputError
from affuse.service.job import Request, Sent, new_id
from affuse.service.keys import add_key
from affuse.service.ledger import Ledger

CLIP = ("a.wav", b"sound")


def until(true: Callable[[], bool]) -> None:
    last = time.monotonic() + 10
    while not true():
        assert time.monotonic() < last
        time.sleep(0.02)


def test_a_full_queue_asks_for_patience(start) -> None:
    one = start(max_queue=2)
    held = one.ask.send(CLIP, text="hold").json["id"]
    until(lambda: one.ask(f"/v1/jobs/{held}").json["state"] == "running")
    assert one.ask(f"/v1/jobs/{held}").json["progress"] == 0.5
    assert [one.ask.send(CLIP).status for _ in range(2)] == [202, 202]
    refused = one.ask.send(CLIP)
    assert (refused.status, int(refused.headers["Retry-After"]) > 0) == (429, True)
    assert one.ask(f"/v1/jobs/{held}/result").status == 409
    one.service.office._crew.release.set()
    states = [job["state"] for job in one.ask("/v1/jobs").json["jobs"]]
    assert len(states) == 3


def test_a_job_that_runs_is_stopped_by_deleting_it(start) -> None:
    one = start()
    held = one.ask.send(CLIP, text="hold").json["id"]
    until(lambda: one.ask(f"/v1/jobs/{held}").json["state"] == "running")
    assert one.ask(f"/v1/jobs/{held}", method="DELETE").status == 204
    until(lambda: not one.service.places.of(held).exists())
    assert one.ask.ended(one.ask.send(CLIP).json["id"])["state"] == "done"


def test_who_waits_is_told_the_end_at_once(start) -> None:
    one = start()
    held = one.ask.send(CLIP, text="hold").json["id"]
    assert one.ask(f"/v1/jobs/{held}?wait=0.05").json["state"] in ("queued", "running")
    assert one.ask(f"/v1/jobs/{held}?wait=61").status == 422
    with ThreadPoolExecutor(2) as clients:
        waiting = [clients.submit(one.ask, f"/v1/jobs/{held}?wait=50") for _ in range(2)]
        until(lambda: len(one.service.office.ends._waiting.get(held, ())) == 2)
        one.service.office._crew.release.set()
        assert [asked.result(10).json["state"] for asked in waiting] == ["done", "done"]
        assert one.service.office.ends._waiting == {}
        one.service.office._crew.release.clear()
        held = one.ask.send(CLIP, text="hold").json["id"]
        removed = clients.submit(one.ask, f"/v1/jobs/{held}?wait=50")
        until(lambda: held in one.service.office.ends._waiting)
        assert one.ask(f"/v1/jobs/{held}", method="DELETE").status == 204
        assert removed.result(10).status == 404
        held = one.ask.send(CLIP, text="hold").json["id"]
        left = clients.submit(one.ask, f"/v1/jobs/{held}?wait=50")
        until(lambda: held in one.service.office.ends._waiting)
        one.stop()
        assert left.result(10).json["state"] in ("queued", "running")


def test_what_was_begun_is_begun_again(start, tmp_path) -> None:
    one = start()
    jobs = [one.ask.send(CLIP, text="hold").json["id"] for _ in range(3)]
    until(lambda: one.ask(f"/v1/jobs/{jobs[0]}").json["state"] == "running")
    stray = one.service.places.of(new_id())
    stray.mkdir()
    one.stop()
    again = start()
    assert not stray.exists()
    again.service.office._crew.release.set()
    assert {again.ask.ended(job)["state"] for job in jobs} == {"done"}
    again.stop()
    with sqlite3.connect(tmp_path / "data" / "jobs.sqlite") as database:
        assert {row[0] for row in database.execute("SELECT endings FROM jobs")} == {1}


def test_what_is_old_is_thrown_away(start, monkeypatch) -> None:
    monkeypatch.setattr("affuse.service.office._SWEEP", 0.05)
    one = start(keep=1)
    job = one.ask.send(CLIP, text="fail").json["id"]
    assert one.ask.ended(job)["error"] == "it cannot be read"
    until(lambda: one.ask(f"/v1/jobs/{job}").status == 404)
    assert not one.service.places.of(job).exists()


def test_one_service_a_folder(tmp_path) -> None:
    ledger = Ledger(tmp_path / "data")
    with pytest.raises(InputError, match="another service works in it"):
        Ledger(tmp_path / "data")
    ledger.close()
    Ledger(tmp_path / "data").close()


def test_a_job_ends_once(tmp_path) -> None:
    ledger, job = Ledger(tmp_path), new_id()
    ledger.add(job, "", Request(clip=Sent(name="a.wav")), most=1)
    assert not ledger.end(job, result=b"early")
    assert ledger.take().id == job
    assert ledger.end(job, result=b"{}")
    assert not ledger.end(job, error="late")
    assert ledger.result(job) == b"{}"
    ledger.close()


def test_keys_part_their_owners(start, tmp_path) -> None:
    ann, bob = (add_key(tmp_path / "keys", name) for name in ("ann", "bob"))
    one = start(keys=tmp_path / "keys")
    assert ann not in (tmp_path / "keys").read_text()
    assert one.ask.send(CLIP).status == 401
    anns, bobs = (Asking(one.address, Authorization=f"Bearer {key}") for key in (ann, bob))
    job = anns.send(CLIP).json["id"]
    assert anns.ended(job)["state"] == "done"
    assert [bobs(f"/v1/jobs/{job}{rest}").status for rest in ("", "/result", "/media")] == [404] * 3
    assert bobs("/v1/jobs").json == {"jobs": []}
    cookie = anns("/v1/session", b"").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert one.ask(f"/v1/jobs/{job}/media", Cookie=cookie.partition(";")[0]).status == 200


def test_a_rate_is_kept_by_address(start) -> None:
    one = start(rate=2)
    assert [one.ask.send(CLIP).status for _ in range(3)] == [202, 202, 429]
