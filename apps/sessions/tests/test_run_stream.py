from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.sessions.engine.run_stream import LiveStream, Run
from apps.sessions.events import Event, answer_text
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_invocation


class Endless:
    """A client whose agent says the same line for ever; it is also the response."""

    content_type = "text/event-stream"
    http_status = 200
    request_id = trace_id = ""
    is_closed = False

    async def invoke(self, *_: Any, on_send: Callable[[int], None], **__: Any) -> Endless:
        on_send(1)
        return self

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            yield b'data: "on and "\n\ndata: "on "\n\n'

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def run(transactional_db: None, make_session: Callable[..., Session]) -> Run:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    return Run(invocation, LiveStream(invocation.pk))


@pytest.mark.parametrize(("limit", "value"), [("max_answer_bytes", 1000), ("max_events", 40)])
async def test_an_answer_without_an_end_is_cut_off(run: Run, limit: str, value: int) -> None:
    setattr(run, limit, value)
    client: Any = Endless()

    status, fields = await run.execute(client)

    assert (status, fields["error_code"], client.is_closed) == ("failed", "answer_too_large", True)
    assert f"more than {run.byte_count:,} bytes" in fields["error_message"]
    assert run.summary()["response_text"] == "on and on " * run.chunk_count
    assert len(run.stream.events) == 2 + run.chunk_count <= 43


async def test_followers_with_cursors_of_their_own_see_the_same(transactional_db: None) -> None:
    stream = LiveStream(1)
    stream.append({"kind": "text", "text": "one "}, offset_ms=1.0)
    seen: dict[int, list[Event]] = {0: [], 1: [], 3: [], 9: []}
    for after, into in seen.items():
        follower = stream.follow(after)
        if after == 0:
            into += await anext(follower)
    stream.append({"kind": "text", "text": "two "}, offset_ms=2.0)
    stream.append({"kind": "text", "text": "three"}, offset_ms=3.0)
    stream.end()
    stream.end()  # heard twice, it is the same end
    for after, into in seen.items():
        async for events in stream.follow(into[-1]["seq"] if into else after):
            into += events

    assert {after: answer_text(events) for after, events in seen.items()} == {
        0: "one two three", 1: "two three", 3: "", 9: ""
    }  # fmt: skip
    assert [event["seq"] for event in stream.events] == [1, 2, 3]


async def test_a_run_that_was_never_sent_says_so(run: Run) -> None:
    assert run.summary()["is_unsent"] is True

    run.max_events = 3
    client: Any = Endless()
    await run.execute(client)

    assert run.summary()["is_unsent"] is False
    assert (await sync_to_async(Invocation.objects.get)()).is_unsent is False
