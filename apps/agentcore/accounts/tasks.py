"""What the worker does for accounts: a look at each every quarter of an hour, so that one that fails is seen."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from apps.agentcore.accounts.services import check_accounts
from apps.agentcore.models import AccountRegion, AwsAccount
from apps.core.running.put_off import put_off_while_away

CHECK_NAME = "check accounts"
EVERY = timedelta(minutes=15)


@put_off_while_away
def check_all_accounts() -> None:
    """Look at every enabled account."""
    check_accounts(AwsAccount.objects.filter(origin=settings.LOOM_AWS).prefetch_related("regions"))


def enqueue_due_account_check() -> None:
    """The ticker's part: hand a look to the cluster when one is due. The update is the claim."""
    now = timezone.now()
    due = AccountRegion.objects.filter(
        Q(next_check_at=None) | Q(next_check_at__lte=now), account__origin=settings.LOOM_AWS, account__is_enabled=True
    )
    if due.update(next_check_at=now + EVERY):
        async_task(check_all_accounts, q_options={"task_name": CHECK_NAME, "save": False, "ack_failure": True})
