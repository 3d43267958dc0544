from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse

from apps.agents.models import Agent
from apps.metrics.models import LogGroupSweep, Measurement, StartSeries
from apps.sessions.models import Invocation, Session

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LOG_GROUP = "/aws/bedrock-agentcore/runtimes/weather-AbCdEf1234-DEFAULT"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("alice@example.com"))
    return client


@pytest.fixture
def measurement(make_agent: Callable[..., Agent]) -> Measurement:
    agent = make_agent(name="weather")
    owner = get_user_model().objects.create_user("bob@example.com")
    session = Session.objects.create(agent=agent, owner=owner, runtime_session_id="s" * 36, created_at=NOW)
    invocation = Invocation.objects.create(
        session=session, number=1, status="completed", prompt="Rain?", requested_at=NOW
    )
    return Measurement.objects.create(invocation=invocation, state="not_found", log_group=LOG_GROUP)


def test_measurements_are_filtered_and_cannot_be_made_or_changed(staff: Client, measurement: Measurement) -> None:
    address = reverse("admin:metrics_measurement_changelist")

    assert staff.get(address, {"state__exact": "not_found"}).context["cl"].result_count == 1
    assert staff.get(address, {"state__exact": "measured"}).context["cl"].result_count == 0
    assert staff.get(reverse("admin:metrics_measurement_add")).status_code == 403
    assert staff.get(reverse("admin:metrics_measurement_change", args=[measurement.pk])).status_code == 200
    assert staff.post(reverse("admin:metrics_measurement_change", args=[measurement.pk]), {}).status_code == 403


def test_an_action_cancels_start_series_by_the_service(staff: Client, measurement: Measurement) -> None:
    """One that waits is over at once, one that runs is asked to end, one that is over stays as it is."""
    session = measurement.invocation.session

    def series(state: str) -> StartSeries:
        return StartSeries.objects.create(
            agent=session.agent, owner=session.owner, state=state, prompt="Rain?", count=6, created_at=NOW,
            max_cost_usd=Decimal(1), estimated_cost_usd=Decimal(1),
        )  # fmt: skip

    queued, running, done = series("queued"), series("running"), series("done")
    address = reverse("admin:metrics_startseries_changelist")
    chosen = {"action": "cancel", "_selected_action": [queued.pk, running.pk, done.pk]}
    shown = staff.post(address, chosen, follow=True).content.decode()

    assert "2 start series asked to end." in shown
    for row in (queued, running, done):
        row.refresh_from_db()
    assert (queued.state, running.state, done.state) == ("cancelled", "running", "done")
    assert running.cancel_requested_at is not None and done.cancel_requested_at is None
    again = staff.post(address, chosen, follow=True).content.decode()
    assert "Nothing was done: it does not apply to what is selected." in again


def test_sweeps_are_listed(staff: Client) -> None:
    LogGroupSweep.objects.create(account_id="123456789012", region="us-east-1", log_group=LOG_GROUP)

    assert LOG_GROUP in staff.get(reverse("admin:metrics_loggroupsweep_changelist")).content.decode()
