from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.agentcore.invoking.host import AgentCoreHost
from apps.sessions.engine.run import AnswerTooLargeError, Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Session


class Endless:
    """A client whose agent says the same line for ever; it is also the response."""

    content_type = "text/event-stream"
    http_status = 200
    request_id = trace_id = ""
    is_closed = False

    async def invoke(self, *_: Any, on_send: Callable[[int], None], **__: Any) -> Endless:
        on_send(1)
        return self

    async def deliver(self, take: Callable[[bytes], None]) -> None:
        while True:
            take(b'data: "on and "\n\ndata: "on "\n\n')

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def run(transactional_db: None, make_session: Callable[..., Session]) -> Run:
    invocation = start_invocation(session=make_session(), prompt="go", process_id=None)
    return Run(invocation, LiveStream(invocation.pk))


async def test_the_connection_of_an_answer_without_an_end_is_closed(run: Run) -> None:
    run.max_answer_bytes = 1000
    client: Any = Endless()

    with pytest.raises(AnswerTooLargeError):
        await AgentCoreHost(client).run(run)

    assert client.is_closed
    assert run.summary()["response_text"] == "on and on " * run.chunk_count
