from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse

from apps.core.models import Notice, Process

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


def test_every_model_is_registered() -> None:
    models = {
        model for config in apps.get_app_configs() if config.name.startswith("apps.") for model in config.get_models()
    }

    assert models - set(admin.site._registry) == set()


def test_processes_and_notices_are_listed(staff: Client) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    Process.objects.create(kind=Process.Kind.WORKER, host="machine-one", pid=7, started_at=now, beat_at=now)
    Notice.objects.create(topic="session.one", kind="finished")

    assert "machine-one" in staff.get(reverse("admin:core_process_changelist")).content.decode()
    assert "session.one" in staff.get(reverse("admin:core_notice_changelist")).content.decode()


@pytest.mark.parametrize("model", ["process", "notice"])
def test_what_loom_writes_cannot_be_made_by_hand(staff: Client, model: str) -> None:
    assert staff.get(reverse(f"admin:core_{model}_add")).status_code == 403


def test_a_process_can_be_read_but_not_changed_or_deleted(staff: Client) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    process = Process.objects.create(kind=Process.Kind.WEB, host="machine-one", pid=7, started_at=now, beat_at=now)
    address = reverse("admin:core_process_change", args=[process.pk])

    assert staff.get(address).status_code == 200
    assert staff.post(address, {"host": "machine-two"}).status_code == 403
    assert staff.post(reverse("admin:core_process_delete", args=[process.pk]), {"post": "yes"}).status_code == 403
    assert Process.objects.get().host == "machine-one"


def test_strangers_are_sent_to_the_sign_in_page(client: Client) -> None:
    client.force_login(get_user_model().objects.create_user("bob@example.com"))

    assert client.get(reverse("admin:core_process_changelist")).status_code == 302
