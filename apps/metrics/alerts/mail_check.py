"""Whether what mails say can be followed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks


def check_mail(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn where mail leaves and its links lead to this machine alone."""
    if not settings.EMAIL_HOST or settings.PUBLIC_URL or settings.DEBUG:
        return []
    return [
        checks.Warning(
            "Mail leaves (EMAIL_URL), and its links lead to this machine alone.",
            hint="Set PUBLIC_URL to the address that people open, as https://loom.example.com.",
            id="metrics.W001",
        )
    ]
