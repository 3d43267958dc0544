from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path, reverse

from apps.accounts.models import User
from apps.agentcore.services import refresh_agent
from apps.agents.models import Agent, Endpoint

admin.autodiscover()
urlpatterns = [path("admin/", admin.site.urls)]
pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root@example.com"))
    return client


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    arn = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-AbCdEf1234"
    return make_agent(name="weather", arn=arn, runtime_id="weather-AbCdEf1234")


def test_only_what_is_ours_can_be_changed(staff: Client, agent: Agent) -> None:
    response = staff.post(
        reverse("admin:agentcore_runtime_change", args=[agent.pk]),
        {
            "payload_template": '{"input": "{{prompt}}"}',
            "read_timeout_ms": "5000",
            "retry_unproven": "on",
            "region": "elsewhere",
        },
    )

    agent.refresh_from_db()
    assert response.status_code == 302
    runtime = agent.runtime
    assert (runtime.payload_template, runtime.read_timeout_ms, runtime.retry_unproven, runtime.region) == (
        {"input": "{{prompt}}"},
        5000,
        True,
        "us-east-1",
    )
    page = staff.get(reverse("admin:agents_agent_change", args=[agent.pk])).content.decode()
    assert "weather" in page and "ormer" not in page


def test_a_template_that_cannot_be_filled_in_is_refused(staff: Client, agent: Agent) -> None:
    response = staff.post(
        reverse("admin:agentcore_runtime_change", args=[agent.pk]),
        {"payload_template": '{"input": "{{prompt}} {{nobody}}"}', "read_timeout_ms": "5000"},
    )

    assert response.status_code == 200
    assert "{{nobody}} is unknown." in response.content.decode()
    agent.refresh_from_db()
    assert agent.runtime.payload_template == {"prompt": "{{prompt}}"}


def test_agents_are_not_deleted_here(staff: Client, agent: Agent) -> None:
    assert staff.post(reverse("admin:agents_agent_delete", args=[agent.pk]), {"post": "yes"}).status_code == 403
    assert Agent.objects.count() == 1


def form_of(page: Any) -> dict[str, str]:
    """What a browser would send of a row's page, unchanged."""
    formsets = [inline.formset for inline in page.context["inline_admin_formsets"]]
    forms = [page.context["adminform"].form, *(formset.management_form for formset in formsets)]
    forms += [form for formset in formsets for form in formset.forms]
    values = {field.html_name: field.value() for form in forms for field in form}
    return {name: "" if value is None else str(value) for name, value in values.items() if value is not False}


def errors_of(page: Any) -> str:
    return " ".join(str(error) for error in page.context["errors"])


class TestAdding:
    ADDRESS = "admin:agents_agent_add"

    def test_one_that_aws_describes_is_registered(
        self, staff: Client, demo_agent: Callable[[str], Agent], emulator: Any
    ) -> None:
        known = demo_agent("travel_concierge")
        arn = known.runtime.arn
        Agent.objects.all().delete()

        assert b"ARN" in staff.get(reverse(self.ADDRESS)).content
        response = staff.post(reverse(self.ADDRESS), {"arn": f'  "{arn}", '})

        agent = Agent.objects.get()
        assert (agent.name, agent.runtime.arn) == ("travel_concierge", arn)
        assert agent.registered_by is not None and agent.registered_by.email == "root@example.com"
        assert (response.status_code, response["Location"]) == (302, reverse("admin:agents_agent_changelist"))

    @pytest.mark.parametrize(
        ("arn", "said"),
        [
            ("", "This field is required."),
            ("travel", "ARN"),
            ("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/nobody-AbCdEf1234", "nobody"),
            ("known", "is registered already"),
            ("x" * 500, "at most 400"),
        ],
    )
    def test_another_is_refused_in_the_form_and_what_was_typed_stays(
        self, arn: str, said: str, staff: Client, demo_agent: Callable[[str], Agent]
    ) -> None:
        agent = demo_agent("travel_concierge")
        arn = agent.runtime.arn if arn == "known" else arn

        response = staff.post(reverse(self.ADDRESS), {"arn": arn})

        assert response.status_code == 200
        assert said in errors_of(response)
        assert response.context["adminform"].form["arn"].value() == arn
        assert Agent.objects.count() == 1

    def test_who_may_not_add_is_refused(self, client: Client, carol: User) -> None:
        client.force_login(carol)

        assert client.get(reverse(self.ADDRESS)).status_code == 403
        assert client.post(reverse(self.ADDRESS), {"arn": "x"}).status_code == 403


class TestEditing:
    @pytest.fixture
    def known(self, demo_agent: Callable[[str], Agent]) -> Agent:
        agent = demo_agent("travel_concierge")
        for name in ("blue", "green"):
            Endpoint.objects.create(agent=agent, name=name, live_version="1", status="READY")
        Agent.objects.filter(pk=agent.pk).update(available_qualifiers=["DEFAULT", "blue", "green", "prod"])
        return Agent.objects.get(pk=agent.pk)

    def change(self, staff: Client, agent: Agent, **changes: str) -> Any:
        address = reverse("admin:agents_agent_change", args=[agent.pk])
        return staff.post(address, {**form_of(staff.get(address)), **changes})

    def test_what_is_ours_is_kept_also_when_aws_is_asked_again(self, staff: Client, known: Agent) -> None:
        response = self.change(
            staff, known, name="Concierge (new)", description="Plans trips", tag_names="travel, Prod ",
            **{"runtime-0-payload_template": '{"q": "{{prompt}}"}', "runtime-0-read_timeout_ms": "7000"},
        )  # fmt: skip
        assert response.status_code == 302, response.content.decode()
        refresh_agent(agent=Agent.objects.get(pk=known.pk))

        agent = Agent.objects.get(pk=known.pk)
        assert (agent.name, agent.description) == ("Concierge (new)", "Plans trips")
        assert [tag.name for tag in agent.tags.order_by("agenttag__id")] == ["travel", "Prod"]
        assert (agent.runtime.payload_template, agent.runtime.read_timeout_ms) == ({"q": "{{prompt}}"}, 7000)

    def test_a_name_of_aws_follows_aws(self, staff: Client, known: Agent) -> None:
        self.change(staff, known, description="Ours")
        runtime = known.runtime
        runtime.raw_metadata = {**runtime.raw_metadata, "agentRuntimeName": "before", "description": ""}
        runtime.save()
        Agent.objects.filter(pk=known.pk).update(name="before")

        refresh_agent(agent=Agent.objects.get(pk=known.pk))

        agent = Agent.objects.get(pk=known.pk)
        assert (agent.name, agent.description) == ("travel_concierge", "Ours")

    def test_endpoints_are_offered_in_the_order_given_also_after_a_refresh(self, staff: Client, known: Agent) -> None:
        assert self.change(staff, known, endpoint_order="prod, green,DEFAULT").status_code == 302
        agent = Agent.objects.get(pk=known.pk)
        assert agent.available_qualifiers == ["prod", "green", "DEFAULT", "blue"]
        assert [endpoint.name for endpoint in agent.endpoints.all()] == ["prod", "green", "DEFAULT", "blue"]

        refresh_agent(agent=agent)

        assert Agent.objects.get(pk=known.pk).available_qualifiers == ["prod", "DEFAULT"]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"name": ""}, "required"),
            ({"name": "x" * 121}, "120"),
            ({"tag_names": "x" * 300}, "tag"),
            ({"endpoint_order": "prod, DEFALT"}, "DEFALT"),
            ({"runtime-0-payload_template": '{"q": "{{promt}}"}'}, "promt"),
            ({"runtime-0-payload_template": "{"}, "JSON"),
        ],
    )
    def test_what_cannot_be_is_refused_and_changes_nothing(
        self, changes: dict[str, str], said: str, staff: Client, known: Agent
    ) -> None:
        response = self.change(staff, known, **{"description": "Never stored", **changes})

        assert response.status_code == 200
        assert said in errors_of(response)
        assert Agent.objects.get(pk=known.pk).description != "Never stored"


def test_agents_and_endpoints_are_found(staff: Client, agent: Agent) -> None:
    Endpoint.objects.create(agent=agent, name="prod", live_version="3", status="READY")

    agents = staff.get(reverse("admin:agents_agent_changelist"), {"q": "weather"})
    endpoints = staff.get(reverse("admin:agents_endpoint_changelist"), {"q": "prod"})

    assert [row.name for row in agents.context["cl"].result_list] == ["weather"]
    assert [str(row.agent) for row in endpoints.context["cl"].result_list] == ["weather"]


def test_actions_refresh_and_archive_by_the_services(
    client: Client, carol: User, agent: Agent, demo_agent: Callable[[str], Agent]
) -> None:
    """One that AWS does not know says so and keeps the others from nothing."""
    User.objects.filter(pk=carol.pk).update(is_superuser=True)
    client.force_login(carol)
    known = demo_agent("code_tutor")
    Agent.objects.update(version="0")
    chosen = {"_selected_action": [known.pk, agent.pk]}
    address = reverse("admin:agents_agent_changelist")
    refreshed = client.post(address, {"action": "refresh", **chosen}, follow=True).content.decode()

    assert "1 agent refreshed." in refreshed and "Weather: " in refreshed
    assert {row.name: row.version != "0" for row in Agent.objects.all()} == {"code_tutor": True, "weather": False}
    archived = client.post(address, {"action": "archive", **chosen}, follow=True).content.decode()
    assert "2 agents archived." in archived
    assert Agent.objects.filter(removed_at=None).count() == 0
