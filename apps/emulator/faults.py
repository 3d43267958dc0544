"""Faults on order: what a test wants to go wrong next."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from apps.emulator.aws_wire import AwsError, runtime_start_error
from apps.emulator.ground_truth import StartKind

KINDS = (
    "slow_start",
    "error",
    "cut",
    "silence",
    "hang",
    "start_failure",
    "start_kind",
    "deploy_failure",
    "empty_pages",
)
STATUS_OF_CODE = {
    "ValidationException": 400,
    "UnauthorizedException": 401,
    "ServiceQuotaExceededException": 402,
    "AccessDeniedException": 403,
    "ResourceNotFoundException": 404,
    "ConflictException": 409,
    "RetryableConflictException": 409,
    "RuntimeClientError": 424,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
    "GatewayTimeoutException": 504,
}


class FaultError(ValueError):
    """An order for a fault that cannot be carried out."""


@dataclass
class Fault:
    """Something to go wrong `count` times.

    kind "error": `operation` answers `code` with `status` and `message`, before anything runs.
    kind "cut": the connection of an invocation is closed without an end after `after_chunks` chunks.
    kind "silence": an invocation sends nothing for `seconds` after `after_chunks` chunks, or until silences are ended.
    kind "hang": an invocation sends nothing, no headers either, for `seconds`, then goes on.
    kind "deploy_failure": a create or update of a runtime ends as CREATE_FAILED or UPDATE_FAILED with `message`.
    kind "slow_start": an environment takes `seconds` longer to start.
    kind "start_failure": an environment does not start. kind "start_kind": the next start is `start_kind`.
    kind "empty_pages": FilterLogEvents answers with an empty page and a nextToken.
    runtime_id and session_id, when given, narrow it down.
    """

    kind: str
    operation: str = "InvokeAgentRuntime"
    code: str = "InternalServerException"
    status: int = 500
    message: str = ""
    after_chunks: int = 0
    seconds: float = 61.0
    start_kind: StartKind = StartKind.CREATED
    runtime_id: str | None = None
    session_id: str | None = None
    count: int = 1
    _is_ended: asyncio.Event = field(init=False, repr=False, compare=False)  # of the invocation that it befell

    @property
    def error(self) -> AwsError:
        return AwsError(self.status, self.code, self.message or f"Emulated {self.code}")

    def befalling(self, is_ended: asyncio.Event) -> Fault:
        """The fault as it befalls one invocation."""
        own = copy(self)
        own._is_ended = is_ended
        return own

    async def keep_silent(self) -> None:
        """Return after `seconds`, or once silences are ended, which they may be before it begins."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_ended.wait(), self.seconds)


def read_fault(order: Mapping[str, Any]) -> Fault:
    """Read a fault from JSON; raises FaultError naming the member that is wrong."""
    if order.get("kind") not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}")
    members = dict(order)
    if "code" in members and "status" not in members:
        if members["code"] not in STATUS_OF_CODE:
            raise FaultError("an unknown code needs a status")
        members["status"] = STATUS_OF_CODE[members["code"]]
    if "start_kind" in members:
        if members["start_kind"] not in (StartKind.CREATED, StartKind.POOLED):
            raise FaultError("start_kind must be created or pooled")
        members["start_kind"] = StartKind(members["start_kind"])
    try:
        return Fault(**members)
    except TypeError as error:
        raise FaultError("unknown member in the fault") from error


class FaultBoard:
    """The orders that are open, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._is_ended = asyncio.Event()

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    def end_silences(self) -> None:
        """Let the invocations go on that are silent by now, or are about to be."""
        self._is_ended.set()
        self._is_ended = asyncio.Event()

    def raise_for(self, operation: str, runtime_id: str | None = None, session_id: str | None = None) -> None:
        """Raise the AwsError ordered for an operation, if there is one."""
        fault = self._take(("error",), operation, runtime_id, session_id)
        if fault is not None:
            raise fault.error

    def take_stream_fault(self, runtime_id: str, session_id: str) -> Fault | None:
        fault = self._take(("cut", "silence", "hang"), "InvokeAgentRuntime", runtime_id, session_id)
        return None if fault is None else fault.befalling(self._is_ended)

    def take_slow_start(self, runtime_id: str) -> float:
        """Return the seconds by which the next start is to be late."""
        fault = self._take(("slow_start",), None, runtime_id, None)
        return 0.0 if fault is None else fault.seconds

    def take_start_failure(self, runtime_id: str) -> AwsError | None:
        fault = self._take(("start_failure",), None, runtime_id, None)
        return None if fault is None else runtime_start_error()

    def take_start_kind(self, runtime_id: str) -> StartKind | None:
        fault = self._take(("start_kind",), None, runtime_id, None)
        return None if fault is None else fault.start_kind

    def take_deploy_failure(self, runtime_id: str | None) -> str | None:
        fault = self._take(("deploy_failure",), None, runtime_id, None)
        return None if fault is None else fault.message or "The artifact could not be read"

    def take_empty_page(self) -> bool:
        return self._take(("empty_pages",), None, None, None) is not None

    def _take(
        self, kinds: tuple[str, ...], operation: str | None, runtime_id: str | None, session_id: str | None
    ) -> Fault | None:
        for fault in self._faults:
            if fault.kind not in kinds or (operation is not None and fault.operation != operation):
                continue
            if fault.runtime_id not in (None, runtime_id) or fault.session_id not in (None, session_id):
                continue
            fault.count -= 1
            if fault.count <= 0:
                self._faults.remove(fault)
            return fault
        return None
