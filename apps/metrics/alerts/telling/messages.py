"""What is told of a change, for each kind of channel. Nothing of a prompt, an answer or an error's text is in it."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

from apps.metrics.alerts.kinds import METRICS
from apps.metrics.alerts.telling import budget_messages
from apps.metrics.alerts.wording import (
    bounds_words,
    evidence_address,
    evidence_words,
    headline,
    outside,
    target_words,
    window_words,
)
from apps.metrics.models import AlertNotice

TIMESTAMP, SIGNATURE, DELIVERY = "X-Loom-Timestamp", "X-Loom-Signature", "X-Loom-Delivery"


def title(notice: AlertNotice) -> str:
    """One line: the state and what is wrong, or that it is a test."""
    if notice.budget_period is not None:
        return budget_messages.title(notice.budget_period, notice.budget_level)
    if notice.change is None:
        return _("Test of %(rule)s") % {"rule": notice.rule}
    state = notice.change.state
    word = notice.change.level if state == "firing" else state
    return f"[{word}] {headline(notice.change.alert)}"


def lines(notice: AlertNotice) -> list[str]:
    """What stands below the title."""
    if notice.budget_period is not None:
        return budget_messages.lines(notice.budget_period)
    rule = notice.rule
    assert rule is not None, "a notice has a rule or a budget"
    looked = _("Rule: %(name)s (%(metric)s of %(target)s, %(window)s; %(bounds)s)") % {
        "name": rule.name, "metric": METRICS[rule.metric].label, "target": target_words(rule),
        "window": window_words(rule), "bounds": bounds_words(rule),
    }  # fmt: skip
    if notice.change is None:
        said = _("This is a test: nothing is wrong. It was sent by Loom, to see that alerts arrive here.")
        return [said, looked, outside(rule.get_absolute_url())]
    alert = notice.change.alert
    return [
        evidence_words(alert),
        looked,
        _("Alert: %(address)s") % {"address": outside(alert.get_absolute_url())},
        _("Runs: %(address)s") % {"address": outside(evidence_address(alert))},
    ]


def webhook_body(notice: AlertNotice) -> bytes:
    """The JSON that a signed webhook gets."""
    rule, change = notice.rule, notice.change
    if notice.budget_period is not None:
        return _json(
            {"type": f"budget.{notice.budget_level}", "delivery": notice.pk, "title": title(notice)}
            | budget_messages.body(notice.budget_period)
        )
    assert rule is not None, "a notice has a rule or a budget"
    body: dict[str, Any] = {
        "type": "alert.test" if change is None else f"alert.{change.state}",
        "delivery": notice.pk,
        "title": title(notice),
        "rule": {
            "id": rule.pk, "name": rule.name, "metric": rule.metric, "window_s": rule.window_s,
            "warning": rule.warning, "alert": rule.alert, "kind": "change" if rule.is_change else "threshold",
        },
        "url": outside(rule.get_absolute_url()),
    }  # fmt: skip
    if change is not None:
        alert = change.alert
        body |= {
            "alert": {
                "id": alert.pk, "change": change.number, "state": change.state, "level": change.level,
                "agent_id": alert.agent_id, "agent": alert.agent.name, "version": alert.version or None,
                "value": change.value, "low": alert.low, "high": alert.high, "n": change.n,
                "at": change.at.isoformat(), "opened_at": alert.opened_at.isoformat(),
            },
            "url": outside(alert.get_absolute_url()),
            "evidence_url": outside(evidence_address(alert)),
        }  # fmt: skip
    return _json(body)


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def signature(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over the timestamp, a point and the body as it is sent; whoever gets it makes the same."""
    return "sha256=" + hmac.new(key.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def webhook_headers(notice: AlertNotice, key: str, body: bytes, now: datetime) -> dict[str, str]:
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        TIMESTAMP: timestamp,
        SIGNATURE: signature(key, timestamp, body),
        DELIVERY: str(notice.pk),  # the same at each try: what came before is known by it
    }


def slack_body(notice: AlertNotice) -> bytes:
    """What Slack, Mattermost and others take; their markup is escaped as they ask for it."""
    first, *rest = (_escaped(line) for line in (title(notice), *lines(notice)))
    return json.dumps({"text": "\n".join([f"*{first}*", *rest])}, ensure_ascii=False).encode()


def email(notice: AlertNotice) -> EmailMessage:
    """The mail; its id is the same at each try, so that a reader can leave the second out."""
    host = outside("").partition("://")[2].partition(":")[0]
    return EmailMessage(
        subject=title(notice)[:200],
        body="\n\n".join([title(notice), *lines(notice)]) + "\n",
        to=[address.strip() for address in notice.channel.address.split(",")],
        headers={"Message-ID": f"<loom-alert-{notice.pk}@{host}>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
