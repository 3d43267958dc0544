from __future__ import annotations

from django.apps import apps
from django.conf import settings


def test_our_sessions_and_those_of_django_stand_beside_each_other() -> None:
    """The label is part of tables, permissions and the history of migrations: it never changes."""
    ours, django = apps.get_app_config("agent_sessions"), apps.get_app_config("sessions")

    assert (ours.name, django.name) == ("apps.sessions", "django.contrib.sessions")
    assert apps.get_model("agent_sessions", "Session")._meta.db_table == "agent_sessions_session"


def test_each_app_of_ours_is_installed_under_its_label() -> None:
    ours = {config.label: config.name for config in apps.get_app_configs() if config.name.startswith(("apps.", "loom"))}

    assert ours == {
        "loom": "loom",
        "overview": "apps.overview",
        "core": "apps.core",
        "accounts": "apps.accounts",
        "vault": "apps.vault",
        "costs": "apps.costs",
        "agents": "apps.agents",
        "agentcore": "apps.agentcore",
        "agent_sessions": "apps.sessions",
        "metrics": "apps.metrics",
        "takeout": "apps.takeout",
        "awsverify": "apps.awsverify",
    }
    assert settings.AUTH_USER_MODEL == "accounts.User"
