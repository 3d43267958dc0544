"""What every page's frame needs: where one can go, and which AWS this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest


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
    ("Operate", "metrics:operate", "activity"),
)


def _mode() -> Mode:
    if settings.LOOM_AWS == "emulator":
        return Mode(origin="emulator", label="Emulator", detail="")
    known = (settings.AWS_REGION, f"profile {settings.AWS_PROFILE}" if settings.AWS_PROFILE else "")
    return Mode(origin="aws", label="AWS", detail=" · ".join(part for part in known if part))


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's part of the context: `navigation`, `mode` and `is_sign_in_disabled`. Never raises, asks nobody."""
    match = request.resolver_match
    namespace = match.namespace if match else ""
    return {
        "navigation": [
            NavigationItem(label, url_name, icon, is_current=url_name.split(":")[0] == namespace)
            for label, url_name, icon in _PLACES
        ],
        "mode": _mode(),
        "is_sign_in_disabled": settings.AUTH_DISABLED,
    }
