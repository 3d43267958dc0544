from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError

from apps.agents.models import Agent, Endpoint

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/weather-AbCdEf1234"


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("travel_concierge", "TC"),
        ("my_first_agent", "MF"),
        ("weather", "WE"),
        ("a-b", "AB"),
        ("_x", "_X"),
        ("q", "Q"),
        ("", ""),
    ],
)
def test_initials_stand_for_the_name(name: str, initials: str) -> None:
    assert Agent(name=name).initials == initials


@pytest.mark.parametrize(("status", "is_ready"), [("READY", True), ("CREATING", False), ("UPDATE_FAILED", False)])
def test_only_ready_is_ready(status: str, is_ready: bool) -> None:
    assert Agent(status=status).is_ready is is_ready


@pytest.mark.django_db
def test_a_name_of_an_endpoint_is_taken_once(make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(arn=ARN)

    with pytest.raises(IntegrityError, match="endpoint"):
        Endpoint.objects.bulk_create([Endpoint(agent=agent, name="DEFAULT", status="READY")])


@pytest.mark.django_db
def test_an_arn_is_registered_once(make_agent: Callable[..., Agent]) -> None:
    """S0-069."""
    make_agent(arn=ARN)

    with pytest.raises(IntegrityError, match="arn"):
        make_agent(arn=ARN)
