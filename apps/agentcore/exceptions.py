"""What can go wrong between Loom and the agent's account."""

from __future__ import annotations

from http import HTTPStatus

from apps.aws.errors import AwsError, ConnectFailedError, ThrottledError, TimedOutError, UnavailableError
from apps.core.exceptions import ConflictError, LoomError

RETRY_AFTER_S = 5


class AgentRuntimeError(LoomError):
    """AWS refused or failed; `code` is AWS's own word for it."""

    http_status = HTTPStatus.BAD_GATEWAY

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message, advice=error.advice, request_id=error.request_id)
        self.code = error.code
        # Only reads and StopRuntimeSession end like this, and both may be sent twice.
        self.is_retryable = isinstance(error, ThrottledError | UnavailableError | ConnectFailedError | TimedOutError)
        self.retry_after_s = RETRY_AFTER_S if self.is_retryable else None


class AgentExistsError(ConflictError):
    """The ARN is in the registry already."""

    code = "already_registered"
