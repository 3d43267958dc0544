"""What every page's frame needs: where one can go, the reader's last sessions, and which AWS this is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.models import User
from apps.agentcore.aws.caller import caller
from apps.metrics.alerts.bell import bell
from apps.sessions.models import Session
from apps.sessions.selectors import recent_sessions_of
from loom.web import places


@dataclass(frozen=True, slots=True)
class Mode:
    """Which AWS the installation talks to; `detail` is the account, region and role, as far as they are known."""

    origin: str
    label: str
    detail: str

    @property
    def is_emulator(self) -> bool:
        return self.origin == "emulator"


def _mode() -> Mode:
    if settings.LOOM_AWS == "emulator":
        return Mode(origin="emulator", label="Emulator", detail="")
    known, _ = caller().description()
    return Mode(origin="aws", label="AWS", detail=f"{settings.AWS_REGION} · {known}")


def _is_staff(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and request.user.is_staff


def _recent(request: HttpRequest) -> list[Session]:
    return recent_sessions_of(request.user) if isinstance(request.user, User) else []


def _alert_count(request: HttpRequest) -> int:
    return bell.count_for(request.user) if isinstance(request.user, User) else 0


def _key_bindings(request: HttpRequest) -> str:
    return json.dumps(places.bindings(is_staff=_is_staff(request)))


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's part of the context. Never waits for AWS, and asks the database only where the frame is shown."""
    match = request.resolver_match
    return {
        "navigation": places.GROUPS,
        "current_place": places.place_of(match.view_name, match.namespace) if match else "",
        "current_session": str(match.kwargs.get("public_id", "")) if match else "",
        "new_actions": [action for action in places.ACTIONS if action.is_new],
        "foot_places": lambda: places.foot_for(is_staff=_is_staff(request)),
        "recent_sessions": partial(_recent, request),
        "alert_count": partial(_alert_count, request),
        "key_bindings": partial(_key_bindings, request),
        "mode": _mode(),
        "is_sign_in_disabled": settings.AUTH_DISABLED,
    }
