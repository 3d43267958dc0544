"""The statements of `iac/policies`, filled in for one account, region and agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings

from apps.aws.arn import RuntimeArn

POLICIES = settings.BASE_DIR / "iac" / "policies"

# The narrowest first: `check` and `smoke` bundle what these grant one by one.
FEATURES = (
    "base",
    "discover",
    "describe",
    "invoke",
    "stop",
    "logs",
    "spans",
    "metrics",
    "assume",
    "publish",
    "check",
    "smoke",
)


class UnknownActionError(LookupError):
    """No policy grants this action: the code calls something that `iac/policies` has forgotten."""


@cache
def _text(feature: str) -> str:
    return (POLICIES / f"{feature}.json").read_text(encoding="utf-8")


def policy(feature: str, place: RuntimeArn | None = None) -> dict[str, Any]:
    """The policy document of a feature; its placeholders are filled where `place` says with what."""
    text = _text(feature)
    for name, value in _placeholders(place).items():
        text = text.replace(f"${{{name}}}", value)
    document: dict[str, Any] = json.loads(text)
    return document


def statement_for(action: str, place: RuntimeArn | None = None, feature: str | None = None) -> Mapping[str, Any]:
    """The narrowest statement that grants `action`, or that of a feature. Raises UnknownActionError."""
    for name in [feature] if feature else FEATURES:
        for statement in policy(name, place)["Statement"]:
            if action in statement["Action"]:
                granted: Mapping[str, Any] = statement
                return granted
    raise UnknownActionError(action)


def _placeholders(place: RuntimeArn | None) -> dict[str, str]:
    if place is None:
        return {}
    return {
        "Partition": place.partition,
        "Region": place.region,
        "Account": place.account_id,
        "Runtime": place.runtime_id,
    }
