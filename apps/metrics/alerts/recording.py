"""Write changes of alerts, each with its notices. Whoever calls has begun a transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.accounts.models import User
from apps.metrics.alerts.deciding import Next
from apps.metrics.models import Alert, AlertChange, AlertNotice, AlertRule

State = Alert.State


def open_alert(rule: AlertRule, agent_id: int, following: Next, columns: dict[str, Any], now: datetime) -> Alert:
    """Store an alert with its first change."""
    standing = following.standing
    alert = Alert.objects.create(rule=rule, agent_id=agent_id, state=standing.state, level=standing.level, **columns)
    _record(alert, following, now, by=None, note="")
    return alert


def move(
    alert: Alert, following: Next, columns: dict[str, Any], now: datetime, *, by: User | None = None, note: str = ""
) -> bool:
    """Take an alert on from where it was read; False where somebody else has taken it on meanwhile."""
    standing = following.standing
    columns = {**columns, "state": standing.state, "level": standing.level, "snoozed_until": standing.snoozed_until}
    if standing.state == State.RESOLVED:
        columns["resolved_at"] = now
    as_read = Alert.objects.filter(pk=alert.pk, state=alert.state, level=alert.level)
    if not as_read.update(**columns):
        return False
    for name, value in columns.items():
        setattr(alert, name, value)
    if following.is_change:
        _record(alert, following, now, by=by, note=note)
    return True


def _record(alert: Alert, following: Next, now: datetime, *, by: User | None, note: str) -> None:
    # The alert's row is ours by now, so nobody else counts.
    number = AlertChange.objects.filter(alert=alert).count() + 1
    change = AlertChange.objects.create(
        alert=alert, number=number, state=alert.state, level=alert.level, value=alert.value, n=alert.n, by=by,
        note=note, at=now,
    )  # fmt: skip
    if following.tells:
        AlertNotice.objects.bulk_create(
            AlertNotice(change=change, rule=alert.rule, channel=channel, created_at=now, next_at=now)
            for channel in alert.rule.channels.all()
        )
