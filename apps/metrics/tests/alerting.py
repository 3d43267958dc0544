"""Rules and runs for tests of alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.alerts.evaluating import evaluate_rule
from apps.metrics.alerts.services import RuleData, make_rule
from apps.metrics.models import AlertRule, Measurement
from apps.sessions.models import Invocation, Session


def rule_of(owner: User, **columns: Any) -> AlertRule:
    """A rule on error rates over five minutes, unless told otherwise."""
    fields = {"name": f"Rule {AlertRule.objects.count() + 1}", "metric": "error_rate", "alert": 0.05, "min_n": 10}
    return make_rule(owner=owner, data=RuleData(**{**fields, **columns}))


def runs_at(
    session: Session, ended_at: datetime, count: int, *, failed: int = 0, ttft_ms: float = 500.0, kind: str = "",
    every: timedelta = timedelta(seconds=1), **columns: Any,
) -> list[Invocation]:  # fmt: skip
    """Runs of a session that ended one after the other until `ended_at`; of the first `failed` the agent failed."""
    first = session.invocations.count() + 1
    made = []
    for number in range(count):
        at = ended_at - every * (count - 1 - number)
        sent_at = at - timedelta(seconds=ttft_ms / 1000 + 1)
        fields = {
            "status": "failed" if number < failed else "completed", "version": "3", "prompt": "Two days?",
            "requested_at": sent_at, "invoked_at": sent_at, "completed_at": at, "http_status": 200,
            "first_token_at": sent_at + timedelta(milliseconds=ttft_ms),
        }  # fmt: skip
        made.append(Invocation(session=session, number=first + number, **{**fields, **columns}))
    stored = Invocation.objects.bulk_create(made)
    if kind:
        Measurement.objects.bulk_create(
            Measurement(invocation=run, state="measured", start_kind=kind, log_group="x") for run in stored
        )
    type(session.agent).objects.filter(pk=session.agent_id).update(last_invoked_at=ended_at)
    return stored


def look_again(rule: AlertRule, now: datetime | None = None) -> bool:
    """Look at a rule as if its time had come."""
    now = now or timezone.now()
    AlertRule.objects.filter(pk=rule.pk).update(next_at=now)
    return evaluate_rule(rule.pk, now)
