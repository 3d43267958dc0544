"""Which AWS this installation talks to, and as whom in which account. `LOOM_AWS` alone decides; nothing ambient does.

An agent's calls are signed for the account that has it: by Loom's own identity, or by the role of an `AwsAccount`.
Every connection is made here, so this alone decides by whose credentials an agent is reached.
"""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings

from apps.agentcore.account_exceptions import AccountDisabledError
from apps.agentcore.models import AwsAccount, Runtime
from apps.aws.connection import Connection


def current_connection() -> Connection:
    """The connection that the settings describe: the emulator on loopback, or AWS through the configured profile."""
    if settings.LOOM_AWS == "emulator":
        return Connection(origin="emulator", region=settings.AWS_REGION, endpoint_url=settings.EMULATOR_URL)
    return Connection(origin="aws", region=settings.AWS_REGION, profile=settings.AWS_PROFILE)


def connection_through(account: AwsAccount) -> Connection:
    """The connection that is signed by an account's role. Raises AccountDisabledError."""
    if not account.is_enabled:
        raise AccountDisabledError(account.label)
    return replace(current_connection(), role=account.role)


def connection_of(runtime: Runtime) -> Connection:
    """The connection to the account that has a runtime. Raises AccountDisabledError."""
    if runtime.aws_account_id is None:
        return current_connection()
    # As it is now: whoever holds a runtime for long would go on with a role that was changed.
    account = AwsAccount.objects.filter(pk=runtime.aws_account_id).first()
    # One that was deleted meanwhile has handed its agents back.
    return current_connection() if account is None else connection_through(account)


class Connections:
    """The connections to all accounts, as they are when this is made; it asks the database no more, so threads may."""

    def __init__(self) -> None:
        self._own = current_connection()
        found = AwsAccount.objects.filter(origin=settings.LOOM_AWS)
        self.accounts = {account.account_id: account for account in found}

    def of(self, account_id: str) -> Connection:
        """The connection to an account; Loom's own where no role leads there. Raises AccountDisabledError."""
        account = self.accounts.get(account_id)
        return self._own if account is None else connection_through(account)
