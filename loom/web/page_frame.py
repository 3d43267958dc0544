"""What every page's frame needs: where one can go, and which AWS this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.agentcore.aws.caller import caller


@dataclass(frozen=True, slots=True)
class Mode:
    """Which AWS the installation talks to; `detail` is the account, region and role, as far as they are known."""

    origin: str
    label: str
    detail: str

    @property
    def is_emulator(self) -> bool:
        return self.origin == "emulator"


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """One place of the main navigation; `is_current` while the page shown belongs to it."""

    label: str
    url_name: str
    icon: str
    is_current: bool


_PLACES = (
    ("Agents", "agents:list", "bot"),
    ("Sessions", "sessions:list", "messages-square"),
    ("Runs", "overview:runs", "list"),
    ("Operate", "metrics:operate", "activity"),
)

# Pages that stand below another place than their app's own.
_PLACE_OF_VIEW = {
    "sessions:agent-logs": "agents",
    "sessions:agent-log-doctor": "agents",
    "metrics:start-series": "agents",
    "takeout:evidence": "sessions",
}
# The place that all pages of a namespace stand below.
_PLACE_OF_NAMESPACE = {"prompt_sets": "overview", "compare": "metrics"}


def _mode() -> Mode:
    if settings.LOOM_AWS == "emulator":
        return Mode(origin="emulator", label="Emulator", detail="")
    known, _ = caller().description()
    return Mode(origin="aws", label="AWS", detail=f"{settings.AWS_REGION} · {known}")


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's part of the context: `navigation`, `mode` and `is_sign_in_disabled`. Never waits for AWS."""
    match = request.resolver_match
    namespace = match.namespace if match else ""
    below = _PLACE_OF_NAMESPACE.get(namespace, namespace)
    place = _PLACE_OF_VIEW.get(match.view_name, below) if match else ""
    return {
        "navigation": [
            NavigationItem(label, url_name, icon, is_current=url_name.split(":")[0] == place)
            for label, url_name, icon in _PLACES
        ],
        "mode": _mode(),
        "is_sign_in_disabled": settings.AUTH_DISABLED,
    }
