from __future__ import annotations

from django.apps import AppConfig


class MetricsConfig(AppConfig):
    name = "apps.metrics"
    verbose_name = "Metrics"

    def ready(self) -> None:
        from apps.metrics import receivers  # noqa: F401, PLC0415 -- app ready
