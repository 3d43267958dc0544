from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.tests.conftest import OrderFault
from apps.agents.models import Agent
from apps.aws.clients import client as aws_client

pytestmark = pytest.mark.django_db

TRAVEL = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/travel_concierge-Xk29QmT7aB"
DIGEST = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/release_digest-Hc7MxB5iZt"
GONE = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/never_was-AbCdEf1234"


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def register(client: Client, arn: str) -> tuple[int, Any]:
    response = client.post("/api/agents", {"arn": arn}, content_type="application/json")
    return response.status_code, response.json()


def shape_of_travel_concierge(pk: int) -> dict[str, Any]:
    return {
        "id": pk,
        "arn": TRAVEL,
        "runtime_id": "travel_concierge-Xk29QmT7aB",
        "name": "travel_concierge",
        "status": "READY",
        "region": "us-east-1",
        "account_id": "123456789012",
        "log_group": "/aws/bedrock-agentcore/runtimes/travel_concierge-Xk29QmT7aB-DEFAULT",
        "available_qualifiers": ["DEFAULT", "prod"],
        "origin": "emulator",
        "description": "Plans short trips by train",
        "version": "3",
        "protocol": "HTTP",
        "authorizer": "iam",
        "payload_template": {"prompt": "{{prompt}}"},
        "obstacles": [],
        "endpoints": [
            {"name": "DEFAULT", "live_version": "3", "target_version": "3", "status": "READY"},
            {"name": "prod", "live_version": "2", "target_version": "2", "status": "READY"},
        ],
        "last_invoked_at": None,
        "invocation_count": 0,
    }


def test_registering_answers_with_the_whole_agent(emulator: Any, signed_in: Client, alice: User) -> None:
    """S0-094, S0-101."""
    before = timezone.now()
    status, body = register(signed_in, TRAVEL)

    agent = Agent.objects.get()
    metadata = body.pop("raw_metadata")
    registered_at, refreshed_at = (
        datetime.fromisoformat(body.pop(f"{key}_at")) for key in ("registered", "last_refreshed")
    )
    assert (status, body) == (201, shape_of_travel_concierge(agent.pk))
    assert before.replace(microsecond=0) <= registered_at == refreshed_at <= timezone.now()
    assert agent.registered_by == alice
    assert metadata["agentRuntimeArn"] == TRAVEL
    assert metadata["lifecycleConfiguration"] == {"idleRuntimeSessionTimeout": 900, "maxLifetime": 28800}
    assert metadata["environmentVariables"] == {"LOG_LEVEL": "***"}


def test_an_agent_of_another_region_is_asked_for_there(emulator: Any, signed_in: Client) -> None:
    status, body = register(signed_in, DIGEST)

    assert (status, body["name"], body["region"]) == (201, "release_digest", "eu-west-1")


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        ("", "Enter the ARN of an agent runtime, for example arn:aws:"),
        ("travel_concierge", "This is not an ARN."),
        ("arn:aws:lambda:us-east-1:123456789012:function:x", "This ARN belongs to the service 'lambda'"),
        (TRAVEL.replace("us-east-1", "mars"), "'mars' is not an AWS region; write it like us-east-1."),
        (TRAVEL.replace("123456789012", "1234"), "'1234' is not an AWS account id; it has exactly 12 digits."),
        (f"{TRAVEL}:3", "Remove the version at the end"),
    ],
)
def test_a_bad_arn_is_400_with_the_reason(emulator: Any, signed_in: Client, arn: str, reason: str) -> None:
    """S0-101."""
    status, body = register(signed_in, arn)

    assert (status, body["error"], body["details"]) == (400, "invalid", {})
    assert body["message"].startswith(reason)
    assert Agent.objects.count() == 0


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ("{}", "arn", "Field required"),
        ('{"arn": 3}', "arn", "Input should be a valid string"),
        ('{"arn": null}', "arn", "Input should be a valid string"),
        (f'{{"arn": "arn:{"x" * 400}"}}', "arn", "String should have at most 400 characters"),
    ],
)
def test_a_body_of_another_shape_is_400_with_the_field(signed_in: Client, body: str, field: str, problem: str) -> None:
    """S0-101."""
    response = signed_in.post("/api/agents", body, content_type="application/json")

    assert (response.status_code, response.json()) == (
        400,
        {
            "error": "invalid",
            "message": f"{field}: {problem}",
            "details": {"fields": [{"field": field, "problem": problem}]},
        },
    )


def test_a_known_arn_is_409(emulator: Any, signed_in: Client) -> None:
    """S0-101."""
    register(signed_in, TRAVEL)

    assert register(signed_in, f"{TRAVEL}/runtime-endpoint/prod") == (
        409,
        {
            "error": "already_registered",
            "message": "travel_concierge is registered already.",
            "details": {"advice": "Refresh it to read its newest state."},
        },
    )
    assert Agent.objects.count() == 1


def test_what_aws_does_not_know_is_502_with_the_words_of_aws(emulator: Any, signed_in: Client) -> None:
    """S0-101."""
    status, body = register(signed_in, GONE)

    request_id = body["details"].pop("request_id")
    assert (status, body["error"]) == (502, "ResourceNotFoundException")
    assert body["details"] == {
        "advice": "It does not exist in this account and region. Check the ARN, and whether it has been deleted.",
        "retryable": False,
    }
    assert "never_was-AbCdEf1234" in body["message"]
    assert len(request_id) == 36
    assert Agent.objects.count() == 0


@pytest.mark.parametrize("operation", ["GetAgentRuntime", "ListAgentRuntimeEndpoints"])
def test_what_aws_refuses_is_502_with_its_code(order_fault: OrderFault, signed_in: Client, operation: str) -> None:
    """S0-101."""
    order_fault(kind="error", operation=operation, code="ConflictException", message="Not now.")

    status, body = register(signed_in, TRAVEL)

    assert (status, body["error"], body["message"]) == (502, "ConflictException", "Not now.")
    assert set(body["details"]) == {"advice", "request_id", "retryable"}
    assert Agent.objects.count() == 0


def test_an_aws_that_cannot_be_reached_is_502(signed_in: Client, settings: Any, free_url: str) -> None:
    """S0-101."""
    settings.EMULATOR_URL = free_url

    assert register(signed_in, TRAVEL) == (
        502,
        {
            "error": "EndpointConnectionError",
            "message": "The connection could not be made.",
            "details": {
                "advice": "No connection could be made, so nothing ran. Check the network, the proxy, and that the "
                "region exists.",
                "retryable": True,
                "retryAfter": 5,
            },
        },
    )
    assert Agent.objects.count() == 0


def test_a_removed_agent_comes_back_under_its_id(emulator: Any, signed_in: Client) -> None:
    _, first = register(signed_in, TRAVEL)
    Agent.objects.update(removed_at=timezone.now())
    assert signed_in.get("/api/agents").json() == []

    status, again = register(signed_in, TRAVEL)

    assert (status, again["id"], again["registered_at"]) == (201, first["id"], first["registered_at"])


def test_the_list_holds_every_agent_of_this_mode_by_name(
    signed_in: Client, make_agent: Callable[..., Agent], django_assert_max_num_queries: Any
) -> None:
    """S0-095."""
    for name in ("zebra", "ant", "moose"):
        make_agent(name=name)
    make_agent(name="on_aws", origin="aws")
    make_agent(name="removed", removed_at=timezone.now())

    with django_assert_max_num_queries(8):  # with endpoints, tags, owners, stars and figures, however many there are
        response = signed_in.get("/api/agents")

    assert response.status_code == 200
    assert [(agent["name"], agent["endpoints"][0]["name"]) for agent in response.json()] == [
        ("ant", "DEFAULT"),
        ("moose", "DEFAULT"),
        ("zebra", "DEFAULT"),
    ]


def test_one_agent_reads_as_in_the_list(client: Client, bob: User, make_agent: Callable[..., Agent]) -> None:
    """S0-096. Also for who did not register it: every signed-in user sees all agents."""
    agent = make_agent()
    client.force_login(bob)

    response = client.get(f"/api/agents/{agent.pk}")

    listed = client.get("/api/agents").json()[0]
    assert response.status_code == 200
    assert listed | response.json() == listed  # which has the figures of the last days as well
    assert set(response.json()) == {
        *shape_of_travel_concierge(agent.pk),
        "raw_metadata",
        "registered_at",
        "last_refreshed_at",
    }


def test_what_is_not_there_is_404(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    """S0-102."""
    hidden = [make_agent(removed_at=timezone.now()), make_agent(origin="aws")]

    for pk in [*(agent.pk for agent in hidden), 0, 99_999, 10**30]:
        missing = {"error": "not_found", "message": f"No agent {pk}.", "details": {"agentId": pk}}
        for method, path in (("get", ""), ("delete", ""), ("post", "/refresh"), ("get", "/logs"), ("get", "/sessions")):
            response = getattr(signed_in, method)(f"/api/agents/{pk}{path}", content_type="application/json")
            assert (path, response.status_code, response.json()) == (path, 404, missing)


def test_who_is_not_signed_in_learns_nothing(client: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent()

    def refusal(**about: int) -> tuple[int, dict[str, Any]]:
        details = {**about, "advice": "Programs send a token: manage.py create_token."}
        return (401, {"error": "signed_out", "message": "Sign in first.", "details": details})

    for pk in (agent.pk, 99_999):
        response = client.get(f"/api/agents/{pk}")
        assert (response.status_code, response.json()) == refusal(agentId=pk)
        assert response["WWW-Authenticate"] == "Bearer"
    assert register(client, TRAVEL) == refusal()
    assert Agent.objects.count() == 1


def test_deleting_hides_the_agent_and_keeps_its_history(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    """S0-097, S0-102."""
    agent = make_agent()
    response = signed_in.delete(f"/api/agents/{agent.pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert signed_in.get(f"/api/agents/{agent.pk}").status_code == 404
    assert signed_in.delete(f"/api/agents/{agent.pk}").status_code == 404
    assert Agent.objects.get().removed_at is not None


def test_refreshing_answers_with_what_aws_says_now(emulator: Any, signed_in: Client) -> None:
    """S0-098."""
    _, body = register(signed_in, TRAVEL)
    Agent.objects.update(version="1", status="UPDATING")
    response = signed_in.post(f"/api/agents/{body['id']}/refresh", content_type="application/json")

    again = response.json()
    assert (response.status_code, again["version"], again["status"]) == (200, "3", "READY")
    assert again.pop("last_refreshed_at") > body.pop("last_refreshed_at")
    assert again == body


def test_a_refresh_that_aws_refuses_changes_nothing(
    order_fault: OrderFault, signed_in: Client, make_agent: Callable[..., Agent]
) -> None:
    _, body = register(signed_in, TRAVEL)
    order_fault(kind="error", operation="GetAgentRuntime", code="AccessDeniedException", message="Not you.")
    response = signed_in.post(f"/api/agents/{body['id']}/refresh", content_type="application/json")

    assert (response.status_code, response.json()["error"]) == (502, "AccessDeniedException")
    assert response.json()["details"]["agentId"] == body["id"]
    assert signed_in.get(f"/api/agents/{body['id']}").json() == body


def test_what_keeps_an_agent_from_being_invoked_is_told(signed_in: Client, make_agent: Callable[..., Agent]) -> None:
    agent = make_agent(authorizer_kind="jwt")
    body = signed_in.get(f"/api/agents/{agent.pk}").json()

    assert (body["authorizer"], [obstacle["label"] for obstacle in body["obstacles"]]) == ("jwt", ["JWT"])
    assert set(body["obstacles"][0]) == {"label", "message", "advice"}


def test_the_log_lines_of_an_endpoint(order_fault: OrderFault, signed_in: Client) -> None:
    """S0-100c, S0-104."""
    User.objects.update(is_staff=True)  # the line is of a session that nobody here owns
    _, body = register(signed_in, TRAVEL)
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    group = f"{body['log_group'].removesuffix('DEFAULT')}prod"
    at_ms = int(timezone.now().timestamp()) * 1000
    stream = f"2026/11/20/[runtime-logs-{'s' * 36}]d46c08d5-f8a1-4bb0-9b8f-c2d9519a7a95"
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": at_ms - 1000 * back, "message": f"line {back}"} for back in (3, 2, 1)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    address = f"/api/agents/{body['id']}/logs?qualifier=prod"

    response = signed_in.get(f"{address}&limit=1&search=LINE")
    body = response.json()
    ingested_at = datetime.fromisoformat(body["events"][0].pop("ingested_at"))
    assert at_ms <= ingested_at.timestamp() * 1000 and ingested_at <= timezone.now()
    assert (response.status_code, body) == (
        200,
        {
            "log_group": group,
            "log_stream": stream,
            "events": [
                {
                    "timestamp_ms": at_ms - 1000,
                    "timestamp_iso": f"{datetime.fromtimestamp(at_ms / 1000 - 1, UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "message": "line 1",
                    "session_id": "s" * 36,
                    "log_stream": stream,
                    "level": "",
                }
            ],
            "has_more": True,
        },
    )
    until = f"{datetime.fromtimestamp(at_ms / 1000 - 2, UTC):%Y-%m-%dT%H:%M:%SZ}"
    earlier = signed_in.get(f"{address}&start_time={until}&end_time={until}").json()
    assert [event["message"] for event in earlier["events"]] == ["line 2"]
    # The emulator refuses a search that goes back behind 2024, newest first, as AWS does.
    for start in ("2000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2023-12-31T23:59:59Z"):
        whole = signed_in.get(f"{address}&start_time={start}").json()
        assert [event["message"] for event in whole["events"]] == ["line 3", "line 2", "line 1"]


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("limit=0", 400, "invalid"),
        ("limit=1001", 400, "invalid"),
        ("start_time=yesterday", 400, "invalid"),
        ("start_time=2026-11-20T12:00:00", 400, "invalid"),
        ("qualifier=a-b", 400, "invalid"),
        ("qualifier=never", 404, "ResourceNotFoundException"),
    ],
)
def test_log_lines_that_cannot_be_read(emulator: Any, signed_in: Client, query: str, status: int, error: str) -> None:
    _, body = register(signed_in, TRAVEL)
    response = signed_in.get(f"/api/agents/{body['id']}/logs?{query}")

    assert (response.status_code, response.json()["error"]) == (status, error)
