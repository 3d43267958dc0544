from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from apps.vault.encryption import check_keys


class VaultConfig(AppConfig):
    name = "apps.vault"
    verbose_name = "Vault"

    def ready(self) -> None:
        checks.register(check_keys)
