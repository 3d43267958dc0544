"""Whose log lines somebody may read: the same on the page, in its file and over the API, and not to be guessed."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.accounts.services import create_token
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.tests.test_log_views import LINES, group_of, write
from apps.agents.models import Agent
from apps.aws.clients import client as aws_client
from apps.sessions.models import Session

SECRET = "sesame-4711"
_numbers = itertools.count(1)
Read = Callable[..., str]


@pytest.fixture
def shared(emulator: Any, make_agent: Callable[..., Agent], make_session: Callable[..., Session], bob: User) -> Session:
    """A session of bob's with an agent of which alice has one too; her lines hold what nobody else may learn."""
    runtime_id = f"shared_{next(_numbers)}-LgVs000000"
    agent = make_agent(
        runtime_id=runtime_id, arn=f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}"
    )
    alices, bobs = make_session(agent=agent), make_session(agent=agent, owner=bob)
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    logs.create_log_group(logGroupName=group_of(bobs))
    write(bobs, "INFO of bob")
    # Newer than his, and more than a page shows: a page of the newest lines would have no room for his.
    write(alices, *(f"ERROR {SECRET} {number}" for number in range(1_100)))
    return bobs


def by_page(client: Client, agent_id: int, **query: Any) -> str:
    address = reverse("sessions:agent-logs", args=[agent_id])
    return client.get(address, query, headers=LINES).content.decode()


def by_file(client: Client, agent_id: int, **query: Any) -> str:
    return client.get(reverse("sessions:agent-logs-download", args=[agent_id]), query).content.decode()


def by_api(client: Client, agent_id: int, **query: Any) -> str:
    renamed = {"search" if name == "q" else name: value for name, value in query.items()}
    return client.get(f"/api/agents/{agent_id}/logs", renamed).content.decode()


def by_token(client: Client, agent_id: int, **query: Any) -> str:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    _, secret = create_token(user=user, scope="read", life=timedelta(minutes=5))
    renamed = {"search" if name == "q" else name: value for name, value in query.items()}
    headers = {"Authorization": f"Bearer {secret}"}
    return Client().get(f"/api/agents/{agent_id}/logs", renamed, headers=headers).content.decode()


DOORS = pytest.mark.parametrize("read", [by_page, by_file, by_api, by_token])


@DOORS
def test_others_read_the_lines_of_their_own_sessions_and_staff_reads_all(
    client: Client, shared: Session, bob: User, carol: User, read: Read
) -> None:
    client.force_login(bob)
    found = read(client, shared.agent_id)
    assert "of bob" in found and SECRET not in found
    client.force_login(carol)
    assert SECRET in read(client, shared.agent_id)


@DOORS
def test_a_search_tells_nothing_of_lines_that_are_not_shown(
    client: Client, shared: Session, bob: User, read: Read
) -> None:
    """Neither by their number nor by what else the answer says: right and wrong guesses look the same."""
    client.force_login(bob)
    right, wrong = (read(client, shared.agent_id, q=word) for word in (SECRET, "sesame-4712"))

    assert right.replace(SECRET, "") == wrong.replace("sesame-4712", "")
    assert "of bob" not in right and "not shown" not in right


def test_lines_that_a_level_leaves_out_are_counted_among_the_own_ones(
    client: Client, shared: Session, bob: User
) -> None:
    client.force_login(bob)

    assert re.findall(r"<b>(\d+)</b> lines?(?:, (\d+) not shown)?", by_page(client, shared.agent_id)) == [("1", "")]
    assert re.findall(
        r"<b>(\d+)</b> lines?(?:, (\d+) not shown)?", by_page(client, shared.agent_id, level="ERROR")
    ) == [("0", "1")]


def test_the_api_names_no_stream_of_another_session(client: Client, shared: Session, bob: User) -> None:
    client.force_login(bob)
    answer = client.get(f"/api/agents/{shared.agent_id}/logs", {"limit": 1}).json()

    assert [event["message"] for event in answer["events"]] == ["INFO of bob"]
    assert shared.runtime_session_id in answer["log_stream"]
    assert client.get(f"/api/agents/{shared.agent_id}/logs", {"search": "x"}).json()["log_stream"] == ""
