from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "apps.sessions"
    label = "agent_sessions"  # "sessions" belongs to django.contrib.sessions
    verbose_name = "Sessions"

    def ready(self) -> None:
        from apps.core import topics  # noqa: PLC0415 -- app ready
        from apps.sessions.selectors import may_follow_session  # noqa: PLC0415 -- app ready

        topics.register("session.", may_follow_session)
