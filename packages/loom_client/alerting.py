"""Alerts and their rules, as the API describes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class AlertRule(_Answer):
    """What is looked at, and from which value on somebody is told; bounds in the unit of the metric."""

    id: int
    name: str
    metric: str
    kind: str
    target: dict[str, Any]
    window_s: int
    direction: str
    warning: float | None
    alert: float | None
    min_n: int
    no_data: str
    channels: list[str]
    is_enabled: bool
    owner: str | None
    error: str
    url: str


@dataclass(frozen=True, slots=True)
class Alert(_Answer):
    """One time that a rule was broken by an agent; `changes` is empty in a list."""

    id: int
    rule_id: int
    rule: str
    agent_id: int
    agent: str
    state: str
    level: str
    title: str
    value: float | None
    n: int
    version: str | None
    opened_at: str
    resolved_at: str | None
    url: str
    evidence_url: str
    changes: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlertChannel(_Answer):
    """Where alerts are told. `signing_key` is that of a webhook that was just made, and never comes again."""

    name: str
    kind: str
    address: str
    signing_key: str | None = None


@dataclass(frozen=True, slots=True)
class AlertNotice(_Answer):
    """A notice that a channel got, gets or did not get."""

    id: int
    channel: str
    rule_id: int | None
    alert_id: int | None
    state: str
    tries: int
    error: str
    budget_id: int | None = None


@dataclass(frozen=True, slots=True)
class Alerts(_Answer):
    """A page of alerts, the newest first; `next` is the address of the rest."""

    items: list[Alert]
    next: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(Alerts, cls).read({**body, "items": [Alert.read(item) for item in body["items"]]})
