"""`session_start`: when it is told, and of which request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from apps.sessions.engine.engine import Engine
from apps.sessions.models import Invocation
from apps.sessions.tests.test_api import numbered
from apps.sessions.viewing.sse import _Frames, run_frames
from loom_events.recorded import RecordedEvent

INVOKED = ["2026-11-20T12:00:00+00:00", "2026-11-20T12:00:02+00:00"]
NOON = 1_795_176_000.0


def events(*kinds: str) -> list[RecordedEvent]:
    """The events of a run, one of each kind; the second request is sent two seconds after the first."""
    found: list[Any] = []
    for number, kind in enumerate(kinds, 1):
        event: dict[str, Any] = {"seq": number, "offset_ms": 0.0, "kind": kind}
        if kind == "invoked":
            attempt = kinds[:number].count("invoked")
            event |= {"at": INVOKED[attempt - 1], "attempt": attempt}
        found.append(event | ({"text": "word "} if kind == "text" else {}))
    return found


@pytest.fixture
def frames(db: None, begin: Callable[..., Invocation]) -> _Frames:
    return _Frames(begin(), is_new=True, has_details=False, is_started=False)


def told(body: bytes) -> list[tuple[str, float | None]]:
    return [(name, data.get("client_invoke_time")) for _, name, data in numbered(body.decode())]


@pytest.mark.parametrize("sign", ["headers", "text", "from_2030"])
def test_it_waits_for_the_first_sign_that_the_request_went_through(frames: _Frames, sign: str) -> None:
    said = events("invoked", "retry", "invoked", sign)

    assert [frames.of([event]) for event in said[:3]] == [b"", b"", b""]
    assert told(frames.of(said[3:]))[0] == ("session_start", NOON + 2)
    assert told(frames.of(said[3:])) == ([("chunk", None)] if sign == "text" else [])


def test_a_run_that_is_read_later_has_one_beginning(frames: _Frames) -> None:
    assert told(frames.of(events("invoked", "retry", "invoked", "headers", "text"))) == [
        ("session_start", NOON + 2), ("chunk", None)
    ]  # fmt: skip


def test_a_silent_agent_holds_it_back_no_longer_and_a_late_refusal_is_told(frames: _Frames) -> None:
    said = events("invoked", "retry", "invoked", "text")

    assert frames.of([]) == b""  # it is queued, and nothing was sent yet
    assert frames.of(said[:1]) == b""
    assert told(frames.of([])) == [("session_start", NOON)]
    assert frames.of([]) == b": still running\n\n"
    assert told(frames.of(said[1:])) == [("session_start", NOON + 2), ("chunk", None)]


async def test_the_session_of_a_silent_agent_is_known_before_it_says_anything(
    begin: Callable[..., Invocation], emulator: Any, running_engine: Engine
) -> None:
    """Who wants to stop it needs the id."""
    emulator.order(kind="hang", seconds=3_600)
    invocation = await sync_to_async(begin)()
    running_engine.launch(invocation)
    frames = run_frames(invocation, is_new=True, stops_on_leave=True)
    async with asyncio.timeout(30):
        [(_, name, data)] = numbered((await anext(frames)).decode())

    assert (name, data["session_id"]) == ("session_start", invocation.session.runtime_session_id)
    await frames.aclose()


async def test_a_reader_is_told_when_the_database_stays_away_and_where_to_go_on(
    begin: Callable[..., Invocation], running_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The run is another process's: only the database tells of it."""
    invocation = await sync_to_async(begin)()
    for name, value in {"NAME": str(tmp_path / "nowhere" / "loom.db"), "PORT": "1"}.items():
        monkeypatch.setitem(connections.databases["default"], name, value)
    async with asyncio.timeout(60):
        said = [part async for part in run_frames(invocation, is_new=False, after=3, away_at_most_s=0.3)]
    monkeypatch.undo()
    [(number, name, data)] = numbered(b"".join(said).decode())

    assert (number, name, data["reason"], data["error"]) == (3, "error", "unavailable", "unavailable")
    assert data["details"] == {"advice": "Try again in a few seconds.", "retryable": True, "retryAfter": 5}


async def test_an_answer_that_was_over_before_its_response_began_is_told_from_memory(
    begin: Callable[..., Invocation], running_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fast agents end while the response passes through what lies before it; the database need not be asked again."""
    invocation = await sync_to_async(begin)()
    stream = running_engine.launch(invocation)
    async with asyncio.timeout(60):
        await stream.ended.wait()
    assert running_engine.stream(invocation.pk) is None
    for name, value in {"NAME": str(tmp_path / "nowhere" / "loom.db"), "PORT": "1"}.items():
        monkeypatch.setitem(connections.databases["default"], name, value)
    async with asyncio.timeout(60):
        told = run_frames(invocation, is_new=True, away_at_most_s=0.1, write=lambda _: False, stream=stream)
        said = numbered(b"".join([part async for part in told]).decode())
    monkeypatch.undo()

    assert [said[0][1], said[-1][1]] == ["session_start", "session_end"]
    assert [number for number, _, _ in said] == sorted({number for number, _, _ in said})
    text = "".join(data["text"] for _, name, data in said if name == "chunk")
    assert text == (await Invocation.objects.aget()).response_text != ""
