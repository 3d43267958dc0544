from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from apps.metrics.alerts.mail_check import check_mail


class MetricsConfig(AppConfig):
    name = "apps.metrics"
    verbose_name = "Metrics"

    def ready(self) -> None:
        checks.register(check_mail)
        from apps.metrics import receivers  # noqa: F401, PLC0415 -- app ready
        from apps.metrics.spending.guard import budget_guard  # noqa: PLC0415 -- app ready
        from apps.sessions.engine import guards  # noqa: PLC0415 -- app ready

        guards.register(budget_guard)
