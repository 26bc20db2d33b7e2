"""The center of tied tasks in this process: its snapshots, and what it does beside exchanging."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from springline import METHODS
from springline.engines.ray.arrays import pack
from springline.tied import meeting as module
from springline.tied.meeting import Meeting
from springline.tied.tying import config_of, job_of

from .support import until

X = torch.linspace(-1, 1, 100)
METHOD = METHODS["easgd"]
HELLO = {"size": 100, "dtype": "float32", "buffer_dtype": "float32", "fingerprint": "f", "digest": "d"}
HELLO |= {"config": config_of(job_of(METHOD, 1, 1, 0), "script.py")}


@pytest.fixture
def ended(tmp_path, monkeypatch) -> list[Any]:
    """The actors that were told to end: none is one here."""
    found: list[Any] = []
    context = SimpleNamespace(get_actor_id=lambda: "this", current_actor="this")
    monkeypatch.setattr(module.ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(module.ray, "kill", found.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "BEAT", 0.02)
    return found


async def begin(meeting: Meeting) -> None:
    """One worker comes, and says what the center is."""
    assert await meeting.greet("a task", HELLO) == {"define": True}
    await meeting.define(HELLO, METHOD, pack({"x": X}), pack({"b": torch.empty(0)}))
    assert (await meeting.greet("a task", HELLO))["worker"] == 0
    assert await meeting.beat(0, "a life", {}) == ""


def carry_out(scenario: Any) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


def test_the_snapshot_is_gone_before_the_last_worker_hears_of_its_end(ended, monkeypatch):
    """Also if one is being written just then; the program, and all its actors, may end with that worker."""
    go_on, save = threading.Event(), module.save_state

    def slowly(*what: Any) -> None:
        go_on.wait(60)
        save(*what)

    async def scenario() -> None:
        meeting = Meeting()
        await begin(meeting)
        assert meeting.file.exists()
        monkeypatch.setattr(module, "save_state", slowly)
        writing = asyncio.ensure_future(meeting.keep())
        while not meeting.writing.locked():
            await asyncio.sleep(0)
        parting = asyncio.ensure_future(meeting.part(0, "a life", "done"))
        await asyncio.sleep(0.1)
        go_on.set()
        await parting
        assert not meeting.file.exists()
        await writing
        await meeting.keep()
        assert not meeting.file.exists()
        await meeting.looking

    carry_out(scenario)
    assert ended == ["this"]


def test_a_snapshot_that_cannot_be_written(ended, tmp_path, caplog):
    async def scenario() -> None:
        meeting = Meeting()
        meeting.file = tmp_path / "not there" / "file"
        await begin(meeting)
        await meeting.part(0, "a life", "done")
        await meeting.looking

    carry_out(scenario)
    assert "the center's snapshot" in caplog.text
    assert "free some space" in caplog.text


def test_the_center_looks_after_its_workers_whatever_goes_wrong(ended, monkeypatch, caplog):
    """An error is said once, and the center still ends with its workers."""
    monkeypatch.setattr(module, "SNAPSHOT", 0.0)
    tried = []

    async def fail() -> None:
        tried.append(True)
        raise RuntimeError("it does not work")

    async def scenario() -> None:
        meeting = Meeting()
        await begin(meeting)
        meeting.keep = fail
        meeting.ledger.updates = 1
        await asyncio.to_thread(until, "three looks", lambda: len(tried) >= 3)
        assert not ended
        await meeting.part(0, "a life", "done")
        await meeting.looking

    carry_out(scenario)
    assert caplog.text.count("could not look after its workers (it does not work); it tries again.") == 1
    assert ended == ["this"]
