"""What every address is knocked at with: rows that its arguments name, and an AWS that refuses everything."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from apps.agentcore.accounts.services import add_account
from apps.agentcore.models import AwsAccount
from apps.aws.tests.loopback import Exchange
from apps.costs.services import make_budget
from apps.metrics.models import (
    Alert,
    AlertChange,
    AlertChannel,
    AlertNotice,
    AlertRule,
    Plan,
    PlanPrompt,
    PlanTarget,
    StartSeries,
)
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.services import make_prompt_set
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.takeout.models import SharedLink


def refuse(exchange: Exchange) -> None:
    """Be an AWS that refuses everything, in the words of its services."""
    headers = {name.lower() for name in exchange.request.headers}
    is_sts = exchange.request.path == "/" and "x-amz-target" not in headers
    body = b"<E><Error><Code>ValidationError</Code></Error></E>" if is_sts else b'{"__type": "ValidationException"}'
    exchange.reply(400, body)


def make_account() -> AwsAccount:
    """An account beside Loom's own, which is in nobody's hand but the staff's."""
    role = "arn:aws:iam::444455556666:role/loom-access"
    return add_account(label="production", role_arn=role, external_id="loom-1", regions=["us-east-1"])


def make_plan(session: Session) -> Plan:
    """A plan and a prompt set of the session's owner."""
    prompt_set = make_prompt_set(owner=session.owner, name="Trips", prompts=[Prompt("Hi")])
    plan = Plan.objects.create(
        owner=session.owner, name="Trips", source="prompt_set", state="done", until_at=session.created_at,
        created_at=session.created_at, prompt_set=prompt_set,
        budget=make_budget(owner=session.owner, name="Trips", limit_usd=Decimal(1)),
    )  # fmt: skip
    PlanTarget.objects.create(plan=plan, position=0, agent=session.agent, reserved_usd=0)
    PlanPrompt.objects.create(plan=plan, position=0, text="Hi")
    return plan


def make_alert(session: Session) -> AlertNotice:
    """A rule of the session's owner with a channel, an alert of its agent, and a notice that did not arrive."""
    now = timezone.now()
    channel = AlertChannel.objects.create(
        owner=session.owner, name="Ops", kind="email", address="ops@example.com", created_at=now
    )
    rule = AlertRule.objects.create(
        owner=session.owner, name="Errors", metric="error_rate", window_s=300, alert=0.05, min_n=20, created_at=now,
        next_at=now,
    )  # fmt: skip
    rule.channels.add(channel)
    alert = Alert.objects.create(
        rule=rule, agent=session.agent, state="firing", level="alert", value=0.2, low=0.1, high=0.3, n=20,
        since_at=now, opened_at=now, seen_at=now,
    )  # fmt: skip
    change = AlertChange.objects.create(alert=alert, number=1, state="firing", level="alert", at=now)
    return AlertNotice.objects.create(
        change=change, rule=rule, channel=channel, state="dead", created_at=now, error_message="It answered 503."
    )


def keys_of_alert(notice: AlertNotice) -> dict[str, int | str]:
    """What the addresses of alerts name, by their arguments."""
    assert notice.change is not None and notice.rule_id is not None
    return {
        "rule_id": notice.rule_id, "alert_id": notice.change.alert_id, "channel_id": notice.channel_id,
        "notice_id": notice.pk, "name": notice.channel.name,
    }  # fmt: skip


def furnish(session: Session) -> StartSeries:
    """Give the session a run, a prompt that waits and a link, and its owner a series: what addresses name."""
    now = timezone.now()
    Invocation.objects.create(
        session=session, number=1, status="completed", prompt="Hi", requested_at=now, invoked_at=now, completed_at=now
    )
    QueuedPrompt.objects.create(session=session, position=1, text="Hi", is_held=True, created_at=now)
    until = now + timedelta(days=1)
    SharedLink.objects.create(
        session=session, made_by=session.owner, digest="d", shown="d", created_at=now, expires_at=until
    )
    return StartSeries.objects.create(
        agent=session.agent, owner=session.owner, prompt="Hi", count=1, max_cost_usd=1, estimated_cost_usd=0,
        state="done", created_at=now,
    )  # fmt: skip
