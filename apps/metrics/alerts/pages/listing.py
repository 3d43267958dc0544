"""The lists of alerts: which are found, in which order, and what a row tells."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from apps.core.tables.columns import Column, Columns
from apps.core.tables.filters import Choice, Choices
from apps.core.tables.table import Table
from apps.metrics.alerts.kinds import METRICS
from apps.metrics.alerts.wording import bounds_words, evidence_words, headline, target_words, window_words
from apps.metrics.models import Alert, AlertNotice, AlertRule

OPEN = "open"
LISTED_AT_MOST = 200
TONES = {"pending": "info", "firing": "bad", "acknowledged": "warn", "snoozed": "neutral", "resolved": "ok"}


@dataclass(frozen=True, slots=True)
class AlertRow:
    """What is shown of an alert in a list and at the head of its page."""

    alert: Alert
    headline: str
    evidence: str
    tone: str


@dataclass(frozen=True, slots=True)
class RuleRow:
    """What is shown of a rule in a list."""

    rule: AlertRule
    metric: str
    target: str
    window: str
    bounds: str


def alert_row(alert: Alert) -> AlertRow:
    is_warning = alert.state == Alert.State.FIRING and alert.level == Alert.Level.WARNING
    return AlertRow(alert, headline(alert), evidence_words(alert), "warn" if is_warning else TONES[alert.state])


def rule_row(rule: AlertRule) -> RuleRow:
    return RuleRow(rule, str(METRICS[rule.metric].label), target_words(rule), window_words(rule), bounds_words(rule))


def _of_state(alerts: QuerySet[Alert], state: str) -> QuerySet[Alert]:
    if state == OPEN:
        return alerts.exclude(state=Alert.State.RESOLVED)
    return alerts.filter(state=state) if state else alerts


def _states(_alerts: QuerySet[Alert]) -> Choices:
    return [(OPEN, _("Open")), *Alert.State.choices]


def _agents(alerts: QuerySet[Alert]) -> Choices:
    found = alerts.order_by("agent__name").values_list("agent_id", "agent__name").distinct()
    return [(str(pk), name) for pk, name in found[:LISTED_AT_MOST]]


def _search_alerts(alerts: QuerySet[Alert], text: str) -> QuerySet[Alert]:
    for word in text.split():
        alerts = alerts.filter(Q(rule__name__icontains=word) | Q(agent__name__icontains=word))
    return alerts


def _search_rules(rules: QuerySet[AlertRule], text: str) -> QuerySet[AlertRule]:
    for word in text.split():
        rules = rules.filter(Q(name__icontains=word) | Q(agent__name__icontains=word) | Q(metric__icontains=word))
    return rules


ALERTS: Table[Alert] = Table(
    label=_("Search alerts"),
    columns=Columns(
        Column("rule", _("Rule"), Lower("rule__name")),
        Column("since", _("Since"), F("opened_at"), starts_down=True),
        default="-since",
        ties=("-pk",),
    ),
    search=_search_alerts,
    filters=(
        Choice("state", _("State"), _("Any state"), values=_states, keep=_of_state),
        Choice("level", _("Level"), _("Warnings and alerts"), "level", values=lambda _rows: list(Alert.Level.choices)),
        Choice("agent", _("Agent"), _("Any agent"), "agent_id", values=_agents, offered_from=2),
    ),
)
RULES: Table[AlertRule] = Table(
    label=_("Search rules"),
    columns=Columns(
        Column("name", _("Rule"), Lower("name")),
        Column("looked", _("Looked at"), F("evaluated_at"), starts_down=True),
        default="name",
        ties=("pk",),
    ),
    search=_search_rules,
    filters=(),
)
NOTICES: Table[AlertNotice] = Table(
    label=_("Search what did not arrive"),
    columns=Columns(
        Column("since", _("Written"), F("created_at"), starts_down=True),
        Column("channel", _("Channel"), Lower("channel__name")),
        default="-since",
        ties=("-pk",),
    ),
    search=lambda notices, text: notices.filter(channel__name__icontains=text) if text else notices,
    filters=(),
)
