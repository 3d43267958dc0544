"""Rules, alerts and channels as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Schema

from apps.accounts.models import User
from apps.agents.selectors import agents_visible_to
from apps.core.exceptions import InvalidInputError, found
from apps.core.net_guard.checking import LONGEST_URL
from apps.metrics.alerts.selectors import channels_visible_to
from apps.metrics.alerts.services import RuleData
from apps.metrics.alerts.wording import evidence_address, headline
from apps.metrics.models import Alert, AlertChannel, AlertNotice, AlertRule

HIGHEST_KEY = 2**63 - 1
LONGEST, LONGEST_NAME, LONGEST_NOTE = 100, 200, 2_000


class AlertTarget(Schema):
    """Which runs a rule looks at; without an agent each one's, for itself."""

    agent_id: int | None = Field(None, ge=1, le=HIGHEST_KEY)
    qualifier: str = Field("", max_length=LONGEST)
    version: str = Field("", max_length=LONGEST)
    start: str = Field("", max_length=LONGEST, description="cold, warm, or empty for both")
    counts_tests: bool = Field(False, description="Count Measure start, prompt sets and comparisons too.")


class AlertRuleIn(Schema):
    """A rule. Bounds are in the unit of the metric, of a kind `change` shares of the value before (0.25: a quarter)."""

    name: str = Field(max_length=LONGEST_NAME)
    metric: str = Field(max_length=LONGEST)
    kind: str = Field(
        "threshold", max_length=LONGEST, description="threshold, or change: each version against the one before it"
    )
    target: AlertTarget = Field(default_factory=lambda: AlertTarget.model_validate({}))
    window_s: int = 300
    direction: str = Field("above", max_length=LONGEST, description="above or below")
    warning: float | None = None
    alert: float | None = None
    min_n: int = 20
    no_data: str = Field("keep", max_length=LONGEST, description="keep, ok or alert")
    channels: list[str] = Field([], description="Names of your channels.")
    is_enabled: bool = True


class AlertRulePatch(Schema):
    """What of a rule is to be another; what is left out stays."""

    name: str | None = Field(None, max_length=LONGEST_NAME)
    metric: str | None = Field(None, max_length=LONGEST)
    kind: str | None = Field(None, max_length=LONGEST)
    target: AlertTarget | None = None
    window_s: int | None = None
    direction: str | None = Field(None, max_length=LONGEST)
    warning: float | None = None
    alert: float | None = None
    min_n: int | None = None
    no_data: str | None = Field(None, max_length=LONGEST)
    channels: list[str] | None = None
    is_enabled: bool | None = None


class AlertRuleOut(AlertRuleIn):
    id: int
    owner: str | None = Field(None, description="null for a rule that came with Loom")
    evaluated_at: datetime | None
    error: str
    url: str


class AlertChangeOut(Schema):
    number: int
    state: str
    level: str
    value: float | None
    n: int
    by: str | None
    note: str
    at: datetime


class AlertOut(Schema):
    """One time that a rule was broken by an agent."""

    id: int
    rule_id: int
    rule: str
    agent_id: int
    agent: str
    state: str
    level: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    version: str | None
    before_version: str | None
    is_no_data: bool
    since_at: datetime
    opened_at: datetime
    seen_at: datetime
    snoozed_until: datetime | None
    resolved_at: datetime | None
    url: str
    evidence_url: str


class AlertDetailOut(AlertOut):
    changes: list[AlertChangeOut]


class AlertsOut(Schema):
    items: list[AlertOut]
    next: str | None


class AlertNoteIn(Schema):
    note: str = Field("", max_length=LONGEST_NOTE, description="What is beyond its first 300 characters is cut off.")


class SnoozeIn(AlertNoteIn):
    minutes: int = Field(60, ge=1, le=43_200)


class ChannelIn(Schema):
    name: str = Field(max_length=LONGEST_NAME)
    kind: str = Field(max_length=LONGEST, description="email, webhook or slack")
    address: str = Field(max_length=LONGEST_URL, description="Mail addresses by commas, or the address of the webhook.")


class ChannelOut(Schema):
    name: str
    kind: str
    address: str = Field(description="Of a Slack-compatible webhook its host alone: the rest is a secret.")


class NewChannelOut(ChannelOut):
    signing_key: str | None = Field(None, description="Of a signed webhook; it is not shown again.")


class NoticeOut(Schema):
    """A notice of a rule, or of a budget: then `rule_id` is null."""

    id: int
    channel: str
    rule_id: int | None
    alert_id: int | None
    budget_id: int | None
    state: str
    tries: int
    error: str
    http_status: int | None
    created_at: datetime
    next_at: datetime | None


class EpisodeOut(Schema):
    agent: str
    begin_at: datetime
    end_at: datetime | None
    level: str
    worst: float | None


class ComparedOut(Schema):
    agent: str
    before_version: str
    version: str
    n: int
    more: float | None
    level: str
    next_look: int | None


class PreviewOut(Schema):
    """What a rule would have said of the last seven days."""

    begin_at: datetime
    end_at: datetime
    look_count: int
    silent_count: int
    run_count: int
    is_cut: bool
    episodes: list[EpisodeOut]
    compared: list[ComparedOut]


def rule_data(request: HttpRequest, body: AlertRuleIn, rule: AlertRule | None = None) -> RuleData:
    """What a body says; the agent and the channels are those that who asks may see, and what `rule` has already: its
    agent may be archived, its channels another's. Raises MissingError.
    """
    if body.kind not in {"threshold", "change"}:
        raise InvalidInputError("kind is threshold or change.")
    target = body.target
    agent = None
    if target.agent_id is not None:
        kept = rule.agent if rule is not None and rule.agent_id == target.agent_id else None
        agent = kept or agents_visible_to(request.user).filter(pk=target.agent_id).first()
        found(agent, "agent", target.agent_id)
    named = {channel.name: channel for channel in channels_visible_to(request.user)}
    named |= {channel.name: channel for channel in (rule.channels.all() if rule is not None else ())}
    channels = [found(named.get(name), "alert channel", name) for name in dict.fromkeys(body.channels)]
    return RuleData(
        name=body.name, metric=body.metric, is_change=body.kind == "change", agent=agent, qualifier=target.qualifier,
        version=target.version, start=target.start, counts_tests=target.counts_tests, window_s=body.window_s,
        direction=body.direction, warning=body.warning, alert=body.alert, min_n=body.min_n, no_data=body.no_data,
        is_enabled=body.is_enabled, channels=channels,
    )  # fmt: skip


def rule_in(rule: AlertRule) -> dict[str, Any]:
    """A rule as a body would say it."""
    return {
        "name": rule.name,
        "metric": rule.metric,
        "kind": "change" if rule.is_change else "threshold",
        "target": {
            "agent_id": rule.agent_id, "qualifier": rule.qualifier, "version": rule.version, "start": rule.start,
            "counts_tests": rule.counts_tests,
        },
        "window_s": rule.window_s,
        "direction": rule.direction,
        "warning": rule.warning,
        "alert": rule.alert,
        "min_n": rule.min_n,
        "no_data": rule.no_data,
        "channels": sorted(channel.name for channel in rule.channels.all()),
        "is_enabled": rule.is_enabled,
    }  # fmt: skip


def rule_out(rule: AlertRule) -> dict[str, Any]:
    return rule_in(rule) | {
        "id": rule.pk,
        "owner": rule.owner.email if isinstance(rule.owner, User) else None,
        "evaluated_at": rule.evaluated_at,
        "error": rule.error_message,
        "url": rule.get_absolute_url(),
    }


def alert_out(alert: Alert) -> dict[str, Any]:
    names = (
        "rule_id", "agent_id", "state", "level", "value", "low", "high", "n", "is_no_data", "since_at", "opened_at",
        "seen_at", "snoozed_until", "resolved_at",
    )  # fmt: skip
    return {name: getattr(alert, name) for name in names} | {
        "id": alert.pk,
        "rule": alert.rule.name,
        "agent": alert.agent.name,
        "title": headline(alert),
        "version": alert.version or None,
        "before_version": alert.before_version or None,
        "url": alert.get_absolute_url(),
        "evidence_url": evidence_address(alert),
    }


def alert_detail_out(alert: Alert) -> dict[str, Any]:
    changes = [
        {
            "number": change.number, "state": change.state, "level": change.level, "value": change.value,
            "n": change.n, "by": change.by.email if change.by else None, "note": change.note, "at": change.at,
        }
        for change in alert.changes.select_related("by")
    ]  # fmt: skip
    return alert_out(alert) | {"changes": changes}


def channel_out(channel: AlertChannel) -> dict[str, Any]:
    return {"name": channel.name, "kind": channel.kind, "address": channel.address}


def notice_out(notice: AlertNotice) -> dict[str, Any]:
    return {
        "id": notice.pk, "channel": notice.channel.name, "rule_id": notice.rule_id,
        "alert_id": notice.change.alert_id if notice.change else None,
        "budget_id": notice.budget_period.budget_id if notice.budget_period else None,
        "state": notice.state, "tries": notice.tries,
        "error": notice.error_message, "http_status": notice.http_status, "created_at": notice.created_at,
        "next_at": notice.next_at,
    }  # fmt: skip
