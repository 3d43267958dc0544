"""The HTTP side of one answer: headers, chunks, errors, and the instants that go to the ground truth."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Send

from apps.emulator.aws_wire import AwsError, rest_json_error
from apps.emulator.clock import Clock
from apps.emulator.ground_truth import InvocationRecord

Header = tuple[bytes, bytes]


@dataclass(eq=False)
class WireAnswer:
    """Sends an answer over ASGI and keeps its record. `headers` are those of AWS's front, on errors too."""

    send: Send
    record: InvocationRecord
    clock: Clock
    headers: list[Header]
    is_started: bool = False
    # The trace that the request belongs to, as its header names it.
    trace_header: str = ""

    async def start(self, status: int, content_type: str, extra: list[Header] | None = None) -> None:
        """Send the response's head."""
        self.is_started = True
        headers = [*self.headers, (b"content-type", content_type.encode("latin-1")), *(extra or [])]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def chunk(self, body: bytes, pieces: int) -> None:
        """Send bytes of the body; `pieces` of them count as pieces of answer text."""
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        if self.record.first_byte_at is None:
            self.record.first_byte_at = self.clock.now()
        self.record.pieces_sent += pieces

    async def end(self) -> None:
        """End the body. After this a closing connection is no longer a client that went."""
        self.record.last_byte_at = self.clock.now()
        self.record.is_finished = True
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: AwsError) -> None:
        """Answer an error in place of the response."""
        self.is_started = True
        self.record.error_status = error.status
        self.record.is_finished = True
        response = rest_json_error(error)
        head = [header for header in response.raw_headers if header[0] != b"x-amzn-requestid"]
        await self.send({"type": "http.response.start", "status": error.status, "headers": [*self.headers, *head]})
        await self.send({"type": "http.response.body", "body": response.body, "more_body": False})
