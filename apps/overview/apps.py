from __future__ import annotations

from django.apps import AppConfig


class OverviewConfig(AppConfig):
    name = "apps.overview"
    verbose_name = "Overview"
