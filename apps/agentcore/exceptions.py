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


class AccountDisabledError(ConflictError):
    """Somebody has switched the account off, so nothing is asked of it."""

    code = "account_disabled"

    def __init__(self, label: str) -> None:
        super().__init__(
            f"The AWS account {label} is disabled.", advice="It can be enabled on the page of AWS accounts."
        )


class AccountExistsError(ConflictError):
    """Another row has the account, or its name."""

    code = "account_exists"

    def __init__(self, account_id: str, label: str) -> None:
        super().__init__(
            f"The account {account_id} or the name {label} is in the list already.",
            advice="Change the one that is there, or choose another name.",
        )


class AccountInUseError(ConflictError):
    """Agents are reached by the account's role."""

    code = "account_in_use"

    def __init__(self, count: int) -> None:
        agents = "1 registered agent is" if count == 1 else f"{count} registered agents are"
        super().__init__(
            f"{agents} reached by this account's role.",
            advice="Archive them, disable the account, or hand them back to Loom's own identity as it is deleted.",
        )


class AccountRefusedError(LoomError):
    """Somebody may not say which roles Loom takes on."""

    code = "forbidden"
    http_status = HTTPStatus.FORBIDDEN
