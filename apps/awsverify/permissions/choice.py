"""Which agent a command means: by ARN, or by its name in the registry."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import DatabaseError

from apps.agentcore.aws.connection import Connections
from apps.agentcore.models import AwsAccount, Runtime
from apps.agents.selectors import in_use
from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection


def is_arn(text: str) -> bool:
    return text.strip().startswith("arn:")


def registered(name: str | None = None, account: AwsAccount | None = None) -> list[RuntimeArn]:
    """The registered agents of this mode, or those of a name, or of an account; none where there is no database yet."""
    runtimes = Runtime.objects.filter(in_use("agent__"), agent__removed_at=None).order_by("agent__name", "pk")
    if name is not None:
        runtimes = runtimes.filter(agent__name=name)
    if account is not None:
        runtimes = runtimes.filter(aws_account=account)
    try:
        return [RuntimeArn.parse(arn) for arn in runtimes.values_list("arn", flat=True)]
    except DatabaseError:
        return []


def connections() -> Mapping[str, Connection]:
    """The connections to the enabled accounts that a role leads to, by their ids; none where there is no database."""
    try:
        known = Connections()
    except DatabaseError:
        return {}
    enabled = [account.account_id for account in known.accounts.values() if account.is_enabled]
    return {account_id: known.of(account_id) for account_id in enabled}
