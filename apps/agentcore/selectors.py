"""Which agents AgentCore answers for, and through which accounts."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.accounts.policy import Action, decide, subject_of, visible
from apps.agentcore.models import AwsAccount
from apps.agents.models import Agent
from apps.core.exceptions import MissingError


def with_runtime(agents: QuerySet[Agent]) -> QuerySet[Agent]:
    """Those of `agents` that live on AgentCore, with their runtimes."""
    return agents.filter(runtime__isnull=False).select_related("runtime")


def is_reachable(prefix: str = "") -> Q:
    """Those whose account nobody has disabled. `prefix` is the way to the runtime, as `session__agent__runtime__`."""
    return Q(**{f"{prefix}aws_account": None}) | Q(**{f"{prefix}aws_account__is_enabled": True})


def accounts_visible_to(user: User | AnonymousUser, action: Action = "read") -> QuerySet[AwsAccount]:
    """The accounts of this mode with which `user` may do the action."""
    mine = visible(subject_of(user), AwsAccount, action)
    return AwsAccount.objects.filter(mine, origin=settings.LOOM_AWS).prefetch_related("regions")


def may_manage_accounts(user: User | AnonymousUser) -> bool:
    """Whether `user` may say which roles Loom takes on: it may be let in where not everybody is."""
    return decide(subject_of(user), "manage", AwsAccount())


def account_named(name: str) -> AwsAccount:
    """The account of this mode with the name or the account id. Raises MissingError, which lists what there is."""
    accounts = AwsAccount.objects.filter(origin=settings.LOOM_AWS).prefetch_related("regions")
    account = accounts.filter(Q(label=name) | Q(account_id=name)).first()
    if account is None:
        known = ", ".join(str(account) for account in accounts) or "none"
        raise MissingError(f"There is no AWS account {name}.", advice=f"These there are: {known}.")
    return account
