from __future__ import annotations

from django.apps import AppConfig


class LoomConfig(AppConfig):
    name = "loom"
    verbose_name = "Loom"
