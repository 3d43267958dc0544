"""What every page's frame needs: where one can go, and which AWS this is."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.agentcore.connection import current_connection
from apps.aws.errors import AwsError
from apps.aws.identity import Identity, identity

logger = logging.getLogger(__name__)

ASK_AGAIN_AFTER_S = 300


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

# Pages that stand below another place than their app's own.
_PLACE_OF_VIEW = {"sessions:agent-logs": "agents", "metrics:start-series": "agents"}


class Caller:
    """Who AWS says we are, asked in the background at most every five minutes, so that no page waits for it."""

    def __init__(self, ask: Callable[[], Identity]) -> None:
        self._ask = ask
        self._known = "account not known yet"
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    def description(self) -> tuple[str, threading.Thread | None]:
        """What is known now, and the thread that finds out more, if this call started one."""
        with self._lock:
            now = time.monotonic()
            if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_AFTER_S:
                return self._known, None
            self._asked_at = now
            known = self._known
        thread = threading.Thread(target=self._find_out, name="aws-caller", daemon=True)
        thread.start()
        return known, thread

    def _find_out(self) -> None:
        try:
            caller = self._ask()
        except AwsError as error:
            logger.warning("caller unknown code=%s", error.code)
            known = f"account unknown: {error.code}"
        else:
            known = f"{caller.account_id} · {caller.role}"
        with self._lock:
            self._known = known


_caller = Caller(lambda: identity(current_connection()))


def _mode() -> Mode:
    if settings.LOOM_AWS == "emulator":
        return Mode(origin="emulator", label="Emulator", detail="")
    known, _ = _caller.description()
    return Mode(origin="aws", label="AWS", detail=f"{settings.AWS_REGION} · {known}")


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's part of the context: `navigation`, `mode` and `is_sign_in_disabled`. Never waits for AWS."""
    match = request.resolver_match
    place = _PLACE_OF_VIEW.get(match.view_name, match.namespace) if match else ""
    return {
        "navigation": [
            NavigationItem(label, url_name, icon, is_current=url_name.split(":")[0] == place)
            for label, url_name, icon in _PLACES
        ],
        "mode": _mode(),
        "is_sign_in_disabled": settings.AUTH_DISABLED,
    }
