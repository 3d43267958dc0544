"""What keeps Loom from an account before AWS is asked. Apart from AWS's errors, which cost every start botocore."""

from __future__ import annotations

from http import HTTPStatus

from apps.core.exceptions import ConflictError, LoomError


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
