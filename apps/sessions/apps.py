from __future__ import annotations

from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "apps.sessions"
    label = "agent_sessions"  # "sessions" belongs to django.contrib.sessions
    verbose_name = "Sessions"
