"""What is said of alerts: figures with their units, sentences, and the addresses that lead to the evidence."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.core.network import url_of
from apps.core.templatetags.loom import duration, span
from apps.metrics.alerts.kinds import METRICS, Unit
from apps.metrics.models import Alert, AlertRule

NOTHING = "–"
LONGEST_ADDRESS = 2000


def figure(value: float | None, unit: Unit) -> str:
    """A value in its unit: 1.24 s, 5.2 %, 1,200, $0.42; a dash for none."""
    if value is None:
        return NOTHING
    if unit == "ms":
        return duration(value)
    if unit == "share":
        return f"{value * 100:.1f} %"
    return f"${value:,.4f}" if unit == "usd" else f"{value:,.0f}"


def value_words(rule: AlertRule, value: float | None) -> str:
    """A value of a rule: for one about changes how much more that is than before."""
    if rule.is_change:
        return NOTHING if value is None else f"{value * 100:+.0f} %"
    return figure(value, METRICS[rule.metric].unit)


def bounds_words(rule: AlertRule) -> str:
    """When a rule warns and alerts."""
    sign = "<" if rule.direction == AlertRule.Direction.BELOW else ">"
    parts = []
    if rule.warning is not None:
        parts.append(_("warning %(bound)s") % {"bound": f"{sign} {value_words(rule, rule.warning)}"})
    if rule.alert is not None:
        parts.append(_("alert %(bound)s") % {"bound": f"{sign} {value_words(rule, rule.alert)}"})
    return ", ".join(parts)


def target_words(rule: AlertRule) -> str:
    """What a rule looks at."""
    parts = [str(rule.agent) if rule.agent else _("each agent")]
    if rule.qualifier:
        parts.append(rule.qualifier)
    if rule.version:
        parts.append(_("version %(version)s") % {"version": rule.version})
    if rule.start:
        parts.append(_("cold starts") if rule.start == AlertRule.Start.COLD else _("warm starts"))
    return " · ".join(parts)


def window_words(rule: AlertRule) -> str:
    if rule.is_change:
        return _("each new version against the one before")
    return _("over %(time)s") % {"time": span(rule.window_s * 1000)}


def headline(alert: Alert) -> str:
    """One line that says what is wrong with whom; no text of a prompt, an answer or an error is in it."""
    rule = alert.rule
    metric = METRICS[rule.metric].label
    if alert.is_no_data:
        return _("%(agent)s: too few runs to say anything of %(metric)s") % {"agent": alert.agent, "metric": metric}
    if rule.is_change:
        return _("%(agent)s: %(metric)s of version %(version)s is %(value)s against version %(before)s") % {
            "agent": alert.agent, "metric": metric, "version": alert.version, "value": value_words(rule, alert.value),
            "before": alert.before_version,
        }  # fmt: skip
    return _("%(agent)s: %(metric)s is %(value)s") % {
        "agent": alert.agent, "metric": metric, "value": value_words(rule, alert.value)
    }  # fmt: skip


def evidence_words(alert: Alert) -> str:
    """What the value rests on."""
    unit = METRICS[alert.rule.metric].unit
    runs = ngettext("%(n)s run", "%(n)s runs", alert.n) % {"n": f"{alert.n:,}"}
    if alert.rule.is_change or alert.low is None or alert.high is None:
        return runs
    return _("95 %% interval %(low)s to %(high)s, %(runs)s") % {
        "low": figure(alert.low, unit), "high": figure(alert.high, unit), "runs": runs
    }  # fmt: skip


def evidence_address(alert: Alert) -> str:
    """The list of the runs that an alert is about."""
    rule = alert.rule
    until = alert.resolved_at or alert.seen_at
    chosen = {
        "agent": str(alert.agent_id),
        "range": f"{_minute(alert.since_at)}/{_minute(until + timedelta(minutes=1))}",
    }
    version = alert.version or rule.version
    chosen |= {name: value for name, value in (("qualifier", rule.qualifier), ("version", version)) if value}
    if rule.start:
        chosen["start"] = rule.start
    if rule.counts_tests:
        chosen["measure_start"] = "shown"
    if rule.metric in {"error_rate", "timeout_rate", "broken_rate"}:
        chosen["error"] = "any"
    elif rule.metric.startswith(("ttft", "total")):
        chosen["sort"] = f"-{rule.metric.partition('_')[0]}"
    return f"{reverse('overview:runs')}?{urlencode(chosen)}"


def outside(path: str) -> str:
    """A path of Loom as somebody outside of it opens it."""
    return (settings.PUBLIC_URL or url_of(settings.BACKEND_HOST, settings.BACKEND_PORT)) + path


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M}"
