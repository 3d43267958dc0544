from __future__ import annotations

from django.apps import AppConfig


class TakeoutConfig(AppConfig):
    name = "apps.takeout"
    verbose_name = "Taken out and shared"
