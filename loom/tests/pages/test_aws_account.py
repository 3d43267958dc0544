"""The account on AWS beside the list of agents, where AWS is the emulator behind a proxy."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.agentcore.aws.caller import caller
from apps.agentcore.services import register_agent
from apps.agents.models import Agent
from apps.aws.tests.emulator_process import Emulator
from loom.tests.recorded_aws import ACCOUNT, REGION, RecordedAws

pytestmark = pytest.mark.django_db
TUTOR = f"arn:aws:bedrock-agentcore:{REGION}:{ACCOUNT}:runtime/code_tutor-9sVbN3yRfK"
ACCOUNT_PART, PERMISSIONS_PART = "/agents/aws/account/", "/agents/aws/permissions/"


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


def test_the_account_says_who_loom_is_and_imports_everything(recorded_aws: RecordedAws, signed_in: Client) -> None:
    page = text(signed_in.get(ACCOUNT_PART))

    assert ACCOUNT in page and "user/emulated" in page and REGION in page
    arns = re.findall(r'name="arn" value="([^"]+)"', page)
    assert f"{len(arns)} runtimes are not registered yet." in page and f"Import all {len(arns)}" in page
    signed_in.post("/agents/import/chosen/", {"arn": arns})
    assert Agent.objects.count() == len(arns) >= 6
    assert f"{len(arns)} runtimes found, all of them registered." in text(signed_in.get(ACCOUNT_PART))


def test_a_page_asks_aws_for_nothing_before_it_is_there(recorded_aws: RecordedAws, signed_in: Client) -> None:
    caller().identity()  # the frame names it, and would ask for it in a thread
    recorded_aws.forget()

    assert signed_in.get("/agents/").status_code == 200
    assert recorded_aws.calls == []


def test_what_may_not_be_listed_is_said_with_a_way_on(
    recorded_aws: RecordedAws, emulator: Emulator, signed_in: Client
) -> None:
    emulator.order(kind="error", operation="ListAgentRuntimes", code="AccessDeniedException", count=9)

    page = text(signed_in.get(ACCOUNT_PART))

    assert "bedrock-agentcore:ListAgentRuntimes" in page and "Try again" in page
    assert f'hx-get="{PERMISSIONS_PART}"' in page  # which says what to add


def test_without_credentials_nothing_else_is_tried(aws_home: Any, signed_in: Client) -> None:
    page = text(signed_in.get(ACCOUNT_PART))

    assert 'class="alert alert-warn"' in page and "Try again" in page
    assert PERMISSIONS_PART not in page


def test_every_permission_that_is_missing_comes_with_its_policy(
    recorded_aws: RecordedAws, emulator: Emulator, signed_in: Client, alice: User
) -> None:
    register_agent(arn=TUTOR, user=alice)
    allowed = text(signed_in.get(PERMISSIONS_PART))
    assert "no permission is missing" in allowed
    assert "bedrock-agentcore:InvokeAgentRuntime" in allowed  # not tried

    for operation in ("FilterLogEvents", "GetMetricData"):
        emulator.order(kind="error", operation=operation, code="AccessDeniedException", count=9)
    denied = text(signed_in.get(PERMISSIONS_PART))

    assert "3 things are missing" in denied  # logs, and spans, which are read as those
    policy = re.search(r'<pre class="policy"[^>]*>(.*?)</pre>', denied, re.DOTALL)
    assert policy is not None
    statements = json.loads(policy[1])["Statement"]
    assert {statement["Sid"] for statement in statements} == {"Logs", "Metrics", "Spans"}
    assert "${" not in policy[1] and f":{ACCOUNT}:" in policy[1]
