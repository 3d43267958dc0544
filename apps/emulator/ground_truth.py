"""What really happened, invocation by invocation: the yardstick for everything that is measured from outside."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apps.emulator.clock import iso_instant

KEPT_INVOCATIONS = 20_000
KEPT_TEXTS = 500


class StartKind(StrEnum):
    """How an invocation got its environment: made for it, taken from the warm pool, already the session's own."""

    CREATED = "created"
    POOLED = "pooled"
    REUSED = "reused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class InvocationRecord:
    """One invocation. Instants are seconds since the epoch on this machine's clock, None where never reached.

    `error_status` is the HTTP status of an error that was answered in place of the response, `answer_text` what a
    scripted agent says, whatever events it says it in; of the last 500 only.
    """

    session_id: str
    runtime_id: str
    qualifier: str
    received_at: float
    version: str | None = None
    start_kind: StartKind | None = None
    started_at: float | None = None
    first_byte_at: float | None = None
    last_byte_at: float | None = None
    pieces_sent: int = 0
    client_gone_at: float | None = None
    error_status: int | None = None
    is_finished: bool = False
    answer_text: str = ""

    @property
    def is_cold(self) -> bool | None:
        if self.start_kind in (None, StartKind.UNKNOWN):
            return None
        return self.start_kind is not StartKind.REUSED

    def as_json(self) -> dict[str, Any]:
        return {
            "session_id": self.session_id,
            "runtime_id": self.runtime_id,
            "qualifier": self.qualifier,
            "version": self.version,
            "start_kind": self.start_kind,
            "is_cold": self.is_cold,
            "received_at": iso_instant(self.received_at),
            "started_at": iso_instant(self.started_at),
            "first_byte_at": iso_instant(self.first_byte_at),
            "last_byte_at": iso_instant(self.last_byte_at),
            "tokens_sent": self.pieces_sent,
            "answer_text": self.answer_text,
            "client_gone_at": iso_instant(self.client_gone_at),
        }


class Ledger:
    """The last 20,000 invocations in the order in which they were received."""

    def __init__(self) -> None:
        self._records: deque[InvocationRecord] = deque(maxlen=KEPT_INVOCATIONS)

    def open(self, record: InvocationRecord) -> InvocationRecord:
        if len(self._records) >= KEPT_TEXTS:
            self._records[-KEPT_TEXTS].answer_text = ""
        self._records.append(record)
        return record

    def select(self, session_id: str | None, runtime_id: str | None) -> list[InvocationRecord]:
        return [
            record
            for record in self._records
            if session_id in (None, record.session_id) and runtime_id in (None, record.runtime_id)
        ]
