"""Jobs over HTTP: the same answers as on the spot, in all forms, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from affuse.cli.main import app


@pytest.fixture(scope="module")
def done(service, recording) -> tuple[str, dict]:
    """A clip with its transcript, and what became of it."""
    captions = recording.with_suffix(".srt").read_bytes()
    answer = service.ask.send(recording, transcript=("tone.srt", captions))
    assert answer.status == 202
    made = answer.json
    assert made["state"] == "queued"
    return made["id"], service.ask.ended(made["id"])


def test_an_answer_is_that_of_predict(service, recording, done, capsys, monkeypatch) -> None:
    job, state = done
    assert (state["state"], state["progress"], state["file"]) == ("done", 1.0, "tone.wav")
    answer = service.ask(f"/v1/jobs/{job}/result")
    assert answer.headers["Content-Type"] == "application/json"
    monkeypatch.chdir(recording.parent)
    app(["predict", "tone.wav", "--json"], standalone_mode=False)
    assert answer.body.decode() == capsys.readouterr().out


def test_forms_of_an_answer(service, done) -> None:
    def form(name: str) -> str:
        answer = service.ask(f"/v1/jobs/{done[0]}/result?format={name}")
        assert answer.headers["Content-Disposition"].endswith(f"''tone.wav.{name}")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        return answer.body.decode()

    assert form("csv").startswith("file,start,end,sentiment")
    assert "what a lovely day" in form("srt")
    assert form("html").startswith("<!doctype html>")
    assert service.ask(f"/v1/jobs/{done[0]}/result?format=exe").status == 422


def test_a_clip_is_played_in_parts(service, recording, done) -> None:
    content = recording.read_bytes()
    whole = service.ask(f"/v1/jobs/{done[0]}/media")
    assert (whole.body, whole.headers["Content-Type"]) == (content, "audio/x-wav")
    part = service.ask(f"/v1/jobs/{done[0]}/media", Range="bytes=10-19")
    assert (part.status, part.body) == (206, content[10:20])
    assert service.ask(f"/v1/jobs/{done[0]}/media", Range="bytes=99999999-").status == 416


def test_what_cannot_be_read_names_what_was_sent(service) -> None:
    job = service.ask.send(("private/../tape.mp4", b"no media")).json["id"]
    state = service.ask.ended(job)
    assert state["state"] == "failed"
    assert state["error"].startswith("tape.mp4: nothing in it can be read")
    refused = service.ask(f"/v1/jobs/{job}/result")
    assert (refused.status, refused.json["error"]) == (409, state["error"])


def test_events_follow_a_job_to_its_end(service, recording) -> None:
    job = service.ask.send(recording).json["id"]
    events = service.ask(f"/v1/jobs/{job}/events").body.decode().split("\n\n")
    last = json.loads(events[-2].partition("data: ")[2])
    assert events[-2].startswith("event: done\n")
    assert (last["id"], last["state"]) == (job, "done")


def test_a_deleted_job_is_gone_with_its_files(service, recording) -> None:
    job = service.ask.send(recording).json["id"]
    service.ask.ended(job)
    folder: Path = service.service.places.of(job)
    assert folder.exists()
    assert service.ask(f"/v1/jobs/{job}", method="DELETE").status == 204
    assert not folder.exists()
    assert service.ask(f"/v1/jobs/{job}").status == 404
    assert service.ask(f"/v1/jobs/{job}", method="DELETE").status == 404


def test_checkpoints_and_health(service) -> None:
    listed = service.ask("/v1/checkpoints").json
    assert listed["default"] == ["sentiment", "emotion", "circumplex"]
    assert listed["checkpoints"][0]["range"] == [-3, 3]
    assert service.ask("/healthz").json == {"status": "ok"}
    assert service.ask("/readyz").json == {"status": "ready"}
    assert 'affuse_jobs{state="done"}' in service.ask("/metrics").body.decode()
    assert "/v1/jobs/{job}/result" in service.ask("/openapi.json").json["paths"]


def test_the_log_names_nobody(service, done) -> None:
    log = service.log.getvalue()
    assert all(json.loads(line)["event"] for line in log.splitlines())
    assert done[0] in log
    assert not any(word in log for word in ("tone", "lovely", "127.0.0.1"))
