from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.signals import pre_migrate

from apps.core.running.sqlite_space import prepare_empty_database


class CoreConfig(AppConfig):
    name = "apps.core"
    verbose_name = "Core"

    def ready(self) -> None:
        pre_migrate.connect(prepare_empty_database, sender=self)
        if settings.DEBUG:
            # Django keeps the last 9,000 statements of every connection then, with all their values: of the recorder's,
            # which no request resets, that would be whole answers.
            BaseDatabaseWrapper.queries_limit = 0
