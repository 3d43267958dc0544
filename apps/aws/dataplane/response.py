"""An answer of the data plane, whichever way it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from apps.aws.arn import RuntimeArn
from apps.aws.errors import ConnectionLostError
from loom_events.storable import storable_text

OnData = Callable[[bytes], None]

# What every prompt is sent as, and what is taken for an answer.
CONTENT_TYPE = "application/json"
ACCEPT = "text/event-stream, application/json"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One attempt to send a prompt; `read_timeout` in seconds."""

    arn: RuntimeArn
    qualifier: str
    runtime_session_id: str
    payload: bytes
    content_type: str
    accept: str
    read_timeout: float
    attempt: int
    on_send: Callable[[int], None] | None


class Body(Protocol):
    """What is still to be read of an answer. Both ways of reading raise `AwsError`, and `close` is safe at any time."""

    def chunks(self) -> AsyncIterator[bytes]: ...

    async def deliver(self, on_data: OnData) -> None: ...

    def close(self) -> None: ...


class InvocationResponse:
    """An answer whose headers have arrived and whose body is still to be read."""

    def __init__(
        self, body: Body, *, prompt: Prompt, http_status: int, content_type: str, runtime_session_id: str,
        request_id: str, trace_id: str,
    ) -> None:  # fmt: skip
        self.http_status = http_status
        # The agent chose it, and bytes that are no UTF-8 come as halves of surrogate pairs.
        self.content_type = storable_text(content_type)
        self.runtime_session_id = runtime_session_id or prompt.runtime_session_id
        self.request_id = request_id
        self.trace_id = trace_id
        self.attempt_count = prompt.attempt
        self.body = body

    def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive, never waiting for more; the connection is free again afterwards.

        Whatever reached this machine is handed on before an error is raised, however late it is asked for. A body
        without a length ends where its connection does: nothing tells a reset from an end there.

        Raises `ConnectionLostError` (also when `close` is called meanwhile: a partial answer must not look whole),
        `TimedOutError` or another `AwsError`.
        """
        return self.body.chunks()

    async def deliver(self, on_data: OnData) -> None:
        """As `chunks`, but the bytes are pushed: no task wakes up for them. Returns at the end of the body.

        `on_data` is called in the turn of the loop in which bytes arrive, outside of any task. What it raises ends the
        answer, and is raised here. Raises what `chunks` does.
        """
        await self.body.deliver(on_data)

    async def close(self) -> None:
        """Drop the connection at once, wherever the body is. Safe to call again, and after the end."""
        self.body.close()


def closed() -> ConnectionLostError:
    return ConnectionLostError("The response was closed before its end.", code="ClosedResponse")
