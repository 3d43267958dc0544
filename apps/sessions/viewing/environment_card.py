"""What becomes of a session's environment, as the page and the socket show it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.core.templatetags.loom import instant, span
from apps.sessions.engine.host import Environment
from apps.sessions.models import Session
from apps.sessions.viewing.skeletons import Skeleton


@dataclass(frozen=True, slots=True)
class EnvironmentCard:
    """An environment in the words of its card; how long AgentCore keeps one is known of its agents alone."""

    session: Session
    environment: Environment

    @property
    def state(self) -> str:
        return self.environment.state

    @property
    def can_be_ended(self) -> bool:
        return self.environment.can_be_ended

    @property
    def idle_timeout(self) -> str:
        return self._span("idle_timeout_ms")

    @property
    def max_lifetime(self) -> str:
        return self._span("max_lifetime_ms")

    @property
    def expires(self) -> str:
        return instant(self.environment.expires_at)

    @property
    def ended(self) -> str:
        return instant(self.session.ended_at)

    def _span(self, name: str) -> str:
        runtime = getattr(self.session.agent, "runtime", None)  # agents of other kinds have none
        return span(getattr(runtime, name, None))


ENVIRONMENT = Skeleton(
    "sessions/_environment.html",
    "environment",
    shape=("state", "can_be_ended"),
    holes=("idle_timeout", "max_lifetime", "expires", "ended"),
)
