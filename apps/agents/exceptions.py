"""What can go wrong between Loom and the agent's account."""

from __future__ import annotations

from http import HTTPStatus

from apps.aws.errors import AwsError
from apps.core.exceptions import ConflictError, LoomError


class AgentRuntimeError(LoomError):
    """AWS refused or failed; `code` is AWS's own word for it."""

    http_status = HTTPStatus.BAD_GATEWAY

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message, advice=error.advice, request_id=error.request_id)
        self.code = error.code


class AgentExistsError(ConflictError):
    """The ARN is in the registry already."""

    code = "already_registered"
