"""What can go wrong between a program and Loom, as one family of exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loom_client.wording import in_sentences


class ClientError(Exception):
    """Something of this family."""


class UnreachableError(ClientError):
    """Nothing answers at Loom's address; no request was taken."""


class LostError(ClientError):
    """The connection broke and did not come back. What was started goes on in Loom."""


class ApiError(ClientError):
    """Loom refused, in the one shape of its errors.

    `status` is the HTTP status, `code` a stable word, `str(error)` what happened, `advice` what to do. `is_retryable`
    is None where Loom does not say; `retry_after_s` when to try again. `details` holds whatever else Loom said.
    """

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(str(body.get("message") or f"Loom answered with HTTP {status}."))
        self.status = status
        self.code = str(body.get("error") or status)
        self.details: Mapping[str, Any] = body.get("details") or {}
        self.advice = str(self.details.get("advice") or "")
        self.request_id = str(self.details.get("request_id") or "")
        self.is_retryable: bool | None = self.details.get("retryable")
        self.retry_after_s: float | None = self.details.get("retryAfter")

    def text(self) -> str:
        """What happened, what to do about it and AWS's request id, as sentences on one line."""
        return in_sentences(str(self), self.advice, f"AWS request id {self.request_id}" if self.request_id else "")


class UnknownAgentError(ClientError):
    """No registered agent has this id, name or ARN."""


class AmbiguousAgentError(ClientError):
    """Several agents have this name; the message lists them."""
