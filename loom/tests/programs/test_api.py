from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import AsyncClient, Client, RequestFactory
from django.utils import timezone

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import StartSeries
from apps.sessions.models import Session
from loom.api import api
from loom.tests.running import Running

EXTERNAL = re.compile(r"""(?:src|href|action|data|url)\s*[=(:]\s*["']?(?:[a-z]+:)?//""", re.IGNORECASE)


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.mark.parametrize(
    ("body", "message"), [("{", "Cannot parse request body"), ("\xff", "Cannot parse request body")]
)
def test_a_body_that_is_no_json_is_400_in_the_one_shape(signed_in: Client, body: str, message: str) -> None:
    response = signed_in.post("/api/agents", body.encode("latin-1"), content_type="application/json")

    assert (response.status_code, response.json()) == (400, {"error": "invalid", "message": message, "details": {}})


@pytest.mark.parametrize("body", ["[]", "3", "null", ""])
def test_a_body_that_is_no_object_is_400_in_the_one_shape(signed_in: Client, body: str) -> None:
    response = signed_in.post("/api/agents", body, content_type="application/json")

    assert (response.status_code, set(response.json())) == (400, {"error", "message", "details"})
    assert response.json()["error"] == "invalid"


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/api/nowhere", "/api/agents/1/nowhere", "/api/agents/", "/api/x/agents"])
def test_an_unknown_path_is_404_in_the_one_shape(signed_in: Client, method: str, path: str) -> None:
    response = getattr(signed_in, method)(path, content_type="application/json")

    assert (response.status_code, response.json()) == (
        404,
        {
            "error": "not_found",
            "message": "The API has no such path.",
            "details": {"advice": "GET /api/openapi.json lists all of them."},
        },
    )


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("/api/agents/travel_concierg", "travel_concierge is agent {0}. GET /api/agents lists all of them."),
        ("/api/agents/Travel-Concierge/invoke", "travel_concierge is agent {0}. GET /api/agents lists all of them."),
        ("/api/agents/quite_another", "GET /api/agents lists all of them."),
    ],
)
def test_an_agent_that_is_named_is_told_by_its_id(
    signed_in: Client, make_agent: Callable[..., Agent], path: str, advice: str
) -> None:
    agent = make_agent(name="travel_concierge")
    make_agent(name="archived_concierge", removed_at=timezone.now())
    name = path.split("/")[3]

    for method in ("get", "post"):
        response = getattr(signed_in, method)(path, content_type="application/json")
        assert (response.status_code, response.json()) == (
            404,
            {
                "error": "not_found",
                "message": f"No agent {name}: agents are named by their id here.",
                "details": {"advice": advice.format(agent.pk)},
            },
        )


def test_what_is_missing_is_named_and_a_strangers_in_the_same_words(
    client: Client, make_session: Callable[..., Session], alice: User, bob: User
) -> None:
    session = make_session(owner=alice)
    agent, known, other = session.agent.pk, session.runtime_session_id, "n" * 36
    series = StartSeries.objects.create(
        agent=session.agent, owner=alice, prompt="Hi", count=1, max_cost_usd=1, estimated_cost_usd=1,
        created_at=timezone.now(),
    )  # fmt: skip

    def said(method: str, path: str, body: str = "") -> tuple[int, str]:
        response = getattr(client, method)(f"/api{path}", body, content_type="application/json")
        return response.status_code, response.json()["message"]

    client.force_login(alice)
    of_session = f"/agents/{agent}/sessions/{known}"
    prompt = '{"prompt": "Hi"}'
    assert said("get", "/agents/99") == (404, "No agent 99.")
    assert said("get", f"/agents/99/sessions/{known}") == (404, "No agent 99.")
    assert said("post", f"/agents/99/sessions/{known}/stop") == (404, "No agent 99.")
    assert said("post", "/agents/99/invoke", prompt) == (404, "No agent 99.")
    assert said("post", "/agents/99/start-series", prompt) == (404, "No agent 99.")
    assert said("get", f"{of_session}/latency") == (404, f"No invocation yet in session {known}.")
    assert said("get", f"{of_session}/latency?invocation=7") == (404, f"No invocation 7 in session {known}.")
    assert said("get", "/start-series/99999") == (404, "No start series 99999.")
    for user, session_id in ((alice, other), (bob, known), (bob, other)):
        client.force_login(user)
        missing = (404, f"No session {session_id} of agent {agent}.")
        for rest in ("", "/latency"):
            assert said("get", f"/agents/{agent}/sessions/{session_id}{rest}") == missing
        for rest in ("/stop", "/end"):
            assert said("post", f"/agents/{agent}/sessions/{session_id}{rest}") == missing
    assert said("get", f"/start-series/{series.pk}") == (404, f"No start series {series.pk}.")
    assert said("post", f"/start-series/{series.pk}/cancel") == (404, f"No start series {series.pk}.")
    assert len(said("get", f"/agents/{agent}/sessions/{'x' * 5000}")[1]) < 200


@pytest.mark.parametrize("path", ["/api", "/api/"])
def test_the_beginning_of_the_apis_addresses_leads_to_its_documents(client: Client, path: str) -> None:
    response = client.get(path, follow=True)

    assert response.redirect_chain == [("/api/docs", 302)]
    assert response.status_code == 200


@pytest.mark.django_db
def test_every_path_asks_for_a_sign_in(client: Client) -> None:
    """S0-129: a new route without a sign-in fails here."""
    for path, methods in client.get("/api/openapi.json").json()["paths"].items():
        address = re.sub(r"\{[^}]+\}", "1", path)
        for method in methods:
            response = getattr(client, method)(address, content_type="application/json")
            assert (path, response.status_code, response.json()["error"]) == (path, 401, "signed_out")


def test_a_method_that_a_path_does_not_take_is_405_in_the_one_shape(signed_in: Client) -> None:
    for method, path, allowed, about in (
        ("put", "/api/agents", "GET, POST", {}),
        ("post", "/api/agents/1/logs", "GET", {"agentId": 1}),
        ("get", "/api/agents/1/invoke", "POST", {"agentId": 1}),
    ):
        response = getattr(signed_in, method)(path, content_type="application/json")
        assert (response.status_code, response["Allow"], response.json()) == (
            405,
            allowed,
            {
                "error": "method_not_allowed",
                "message": f"This path does not take {method.upper()}.",
                "details": {**about, "advice": f"Use {allowed}."},
            },
        )


def test_a_defect_is_500_in_the_one_shape_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """S1-061. What went wrong stands in the log alone."""
    response = api.on_exception(RequestFactory().get("/api/agents"), RuntimeError("secret"))

    assert response.status_code == 500
    assert json.loads(response.content) == {
        "error": "internal", "message": "Loom failed; its log says how.", "details": {}
    }  # fmt: skip
    assert "secret" in caplog.text


async def test_the_server_answers_a_wrong_method_in_the_same_shape(async_client: AsyncClient) -> None:
    response = await async_client.put("/api/agents", content_type="application/json")

    assert (response.status_code, response["Allow"]) == (405, "GET, POST")
    assert response.json()["error"] == "method_not_allowed"


def test_what_may_not_be_done_is_403_in_the_one_shape() -> None:
    response = api.on_exception(RequestFactory().get("/api/agents"), PermissionDenied("secret"))

    assert response.status_code == 403
    assert response.content == b'{"error": "forbidden", "message": "You may not do this.", "details": {}}'


def test_the_page_of_the_api_comes_from_this_server_alone(client: Client) -> None:
    page = client.get("/api/docs")
    text = page.content.decode()

    assert page.status_code == 200
    assert EXTERNAL.search(text) is None
    assert "https://" not in text
    assert re.findall(r'<script src="([^"]+)"', text) == [
        "/static/js/theme-early.js",
        "/static/ninja/swagger-ui-bundle.js",
        "/static/ninja/swagger-ui-init.js",
    ]
    # The policy would refuse anything inline.
    assert re.findall(r"<script(?![^>]*src=)([^>]*)>", text) == []
    assert re.search(r"<style|\sstyle=|\son[a-z]+=", text) is None


@pytest.mark.parametrize("path", ["/api/docs", "/api/openapi.json", "/accounts/login/"])
def test_pages_and_api_carry_the_policy(client: Client, path: str) -> None:
    response = client.get(path)

    assert dict(directive.split(" ", 1) for directive in sorted(response["Content-Security-Policy"].split("; "))) == {
        "base-uri": "'none'",
        "connect-src": "'self'",
        "default-src": "'none'",
        "font-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "img-src": "'self' data:",
        "script-src": "'self'",
        "style-src": "'self'",
    }
    assert (response["X-Frame-Options"], response["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert (response["Referrer-Policy"], response["Cross-Origin-Opener-Policy"]) == ("same-origin", "same-origin")


@pytest.mark.parametrize(
    ("environment", "origins"),
    [
        ({"DEBUG": "1"}, ["http://localhost:5173"]),
        ({"DEBUG": "1", "FRONTEND_PORT": "6001"}, ["http://localhost:6001"]),
        ({"DEBUG": "0", "FRONTEND_PORT": "6001"}, []),
    ],
)
def test_the_front_end_is_known_in_development_alone(environment: dict[str, Any], origins: list[str]) -> None:
    """S0-118."""
    with Running(
        "-c", "from loom import settings; print(settings.CORS_ALLOWED_ORIGINS)", environment=environment
    ) as run:
        assert (run.wait_for_end(), run.output) == (0, [str(origins)])
