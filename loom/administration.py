"""Django's administration, whose pages are looked for when an address or a check asks for them, not at every start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class AdministrationConfig(SimpleAdminConfig):
    """Finds the `admin` modules of all apps later than Django's own: they import forms, services and with them AWS."""

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_sites, checks.Tags.admin)


def check_sites(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Django's check of every registered class, once all of them are."""
    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)
