"""Every operation of the API: what it takes to call it, and that it answers as its schema says."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.test import Client

from apps.accounts.access import Access
from apps.accounts.models import User
from apps.accounts.services import create_token
from apps.accounts.tokens import SCOPES
from apps.aws.tests.loopback import loopback
from loom.api import api
from loom.tests.doors.scopes import SCOPE_OF
from loom.tests.doors.walking_api import (
    Walk,
    walk_accounts,
    walk_alerts,
    walk_benches,
    walk_budgets,
    walk_bulk,
    walk_keeping,
    walk_opinions,
    walk_plans,
    walk_queue,
)
from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom_client import ApiError
from loom_client import Client as ApiClient

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/nobody-AbCdEf1234"
MISSING = "00000000-0000-4000-8000-000000000000"


def operations() -> set[tuple[str, str]]:
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_every_route_says_its_scope() -> None:
    """A new route without one fails here, and so does one that is not in the table above."""
    found = {
        (method, prefix + re.sub(r"\{\w+:", "{", path)): operation.auth_param
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        if operation.include_in_schema
        for method in operation.methods
    }

    assert all(isinstance(access, Access) for access in found.values())
    assert {route: access.scope for route, access in found.items() if isinstance(access, Access)} == SCOPE_OF
    assert operations() == set(SCOPE_OF)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_token_reaches_beyond_its_scope(client: Client, alice: User, scope: str) -> None:
    """Whatever the route would answer, it is refused before, or it is not."""
    _, secret = create_token(user=alice, scope=scope, life=timedelta(days=1))
    reachable = SCOPES[: SCOPES.index(scope) + 1]
    for (method, path), wanted in SCOPE_OF.items():
        address = re.sub(r"\{\w+\}", "999", f"/api{path}")
        response = client.generic(
            method, address, "{}", content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
        )
        assert (method, path, response.status_code == 403) == (method, path, wanted not in reachable)
        if response.status_code == 403:
            assert response.json()["error"] == "scope_missing"


def test_the_client_has_a_method_for_every_operation() -> None:
    """S0-011: an operation without one fails here."""
    with loopback(lambda exchange: exchange.reply(404, b"{}")) as server:
        client = ApiClient(server.url)
        for call in (
            client.agents,
            lambda: client.agent(1),
            lambda: client.register(ARN),
            lambda: client.refresh(1),
            lambda: client.archive(1),
            lambda: client.change_agents("tag", [1], "school"),
            lambda: client.star(1),
            lambda: client.unstar(1),
            lambda: next(client.invoke(1, "Hi")),
            lambda: next(client.follow(1, MISSING, 1)),
            lambda: client.stop(1, MISSING),
            lambda: client.end(1, MISSING),
            lambda: client.sessions(1, purpose="conversation"),
            lambda: client.find_sessions("Hi", status="failed"),
            lambda: client.rename_session(1, MISSING, "Ghent"),
            lambda: client.session(1, MISSING),
            lambda: client.invocation(1, MISSING, 1),
            lambda: client.unread(1, MISSING, 1),
            lambda: client.pin_session(MISSING),
            lambda: client.unpin_session(MISSING),
            lambda: client.archive_session(MISSING),
            lambda: client.revive_session(MISSING),
            lambda: client.delete_session(MISSING),
            lambda: client.restore_session(MISSING),
            lambda: client.runs("Hi"),
            lambda: client.tag_runs([1], "school"),
            lambda: client.untag_runs([1], "school"),
            lambda: client.delete_runs([1]),
            lambda: client.search_start_again(1),
            lambda: client.rating(1),
            lambda: client.rate(1, "up"),
            lambda: client.remove_rating(1),
            client.views,
            lambda: client.save_view("Failed", "status=failed"),
            lambda: client.remove_view(1),
            lambda: client.compare([1, 2]),
            lambda: client.compare_targets(["1::", "2::"]),
            lambda: client.repeat(1),
            lambda: client.queue(1, MISSING),
            lambda: client.add_queued(1, MISSING, "Hi"),
            lambda: client.change_queued(1, MISSING, 1, prompt="Hi"),
            lambda: client.remove_queued(1, MISSING, 1),
            lambda: client.clear_queue(1, MISSING),
            lambda: client.send_queued(1, MISSING),
            lambda: client.latency(1, MISSING),
            lambda: client.timeline(1),
            lambda: client.logs(1),
            lambda: client.logs(1, MISSING),
            lambda: client.check_logs(1),
            lambda: client.export_session(1, MISSING),
            lambda: client.export_run(1, "evidence"),
            lambda: client.check_evidence(b"{}"),
            lambda: client.links(1, MISSING),
            lambda: client.share(1, MISSING),
            lambda: client.revoke_link(1, MISSING, 1),
            lambda: client.start_series(1, "Hi", count=6),
            lambda: client.series(1),
            lambda: client.cancel_series(1),
            client.environments,
            client.cold_starts,
            lambda: client.keep_warm(1, ping_minutes=10),
            client.aws_accounts,
            lambda: client.aws_account(1),
            lambda: client.add_aws_account("production", "arn:aws:iam::444455556666:role/loom", ["us-east-1"]),
            lambda: client.change_aws_account(1, is_enabled=False),
            lambda: client.delete_aws_account(1, hands_back=True),
            lambda: client.check_aws_account(1),
            client.budgets,
            lambda: client.budget(1),
            lambda: client.make_budget("all", None, period="day", limit_usd=1),
            lambda: client.change_budget(1, limit_usd=2),
            lambda: client.delete_budget(1),
            client.prompt_sets,
            lambda: client.prompt_set(1),
            lambda: client.make_prompt_set("Trips", run_ids=[1]),
            lambda: client.rename_prompt_set(1, "Days"),
            lambda: client.delete_prompt_set(1),
            lambda: client.export_prompt_set(1, "csv"),
            lambda: client.add_prompts(1, run_ids=[1]),
            lambda: client.change_prompt(1, 1, position=2),
            lambda: client.remove_prompt(1, 1, "mark"),
            lambda: client.estimate_prompt_set(1, [(1, "DEFAULT")]),
            lambda: client.run_prompt_set(1, [(1, "DEFAULT")]),
            lambda: client.side_by_side("Hi", [(1, "DEFAULT"), (2, "DEFAULT")]),
            lambda: client.estimate_side_by_side([(1, "DEFAULT")]),
            lambda: client.plans(source="side_by_side"),
            client.alert_rules,
            lambda: client.alert_rule(1),
            lambda: client.make_alert_rule("Errors", "error_rate", alert=0.05),
            lambda: client.change_alert_rule(1, alert=0.1),
            lambda: client.delete_alert_rule(1),
            lambda: client.preview_alert_rule("Errors", "error_rate", alert=0.05),
            lambda: client.test_alert_rule(1),
            lambda: client.alerts("open"),
            lambda: client.alert(1),
            lambda: client.acknowledge_alert(1, "On it"),
            lambda: client.snooze_alert(1, 30),
            lambda: client.resolve_alert(1),
            client.alert_channels,
            lambda: client.make_alert_channel("Ops", "email", "ops@example.com"),
            lambda: client.delete_alert_channel("Ops"),
            client.undelivered_alerts,
            lambda: client.resend_alert(1),
            lambda: client.start_bench((1, "DEFAULT"), (2, "DEFAULT"), "Hi", pairs=8),
            lambda: client.estimate_bench((1, "DEFAULT"), (2, "DEFAULT"), "Hi"),
            lambda: client.benches(state="running"),
            lambda: client.bench(1),
            lambda: client.cancel_bench(1),
            lambda: client.plan(1),
            lambda: client.cancel_plan(1),
        ):
            with pytest.raises(ApiError):
                call()

    called = {(request.method, request.path.removeprefix("/api").partition("?")[0]) for request in server.requests}
    patterns = {route: re.sub(r"\{\w+\}", "[^/]+", route[1]) for route in operations()}
    found = {
        route
        for route, pattern in patterns.items()
        for method, path in called
        if method == route[0] and re.fullmatch(pattern, path)
    }
    assert found == operations()
    assert len(called) == len(found)


def test_every_answer_has_the_shape_that_the_schema_says(loom: Loom) -> None:
    """S0-041, S0-094 to S0-106: real answers of a whole Loom, the good ones and the refusals."""
    walk = Walk(loom)
    agent_id = loom.agent_id("sentiment_scorer")
    ids = {"agent_id": agent_id}
    one, session = "/agents/{agent_id}", "/agents/{agent_id}/sessions/{session_id}"

    answer = walk.call("POST", f"{one}/invoke", ids, {"prompt": "A lovely day", "stream": False})
    assert answer[0] == 200
    ids |= {"session_id": answer[1]["session_id"], "number": 1}
    run = f"{session}/invocations/{{number}}"
    logs = (f"{one}/logs", f"{one}/logs/check", f"{session}/logs")
    for path in (one, f"{one}/sessions", *logs, session, run, f"{run}/unread"):
        wait_until(lambda path=path: walk.call("GET", path, ids)[0] == 200, f"{path} is answered")  # type: ignore[misc]
    assert walk.call("GET", f"{session}/latency", ids)[0] in {200, 202}
    ids["run_id"] = walk.call("GET", run, ids)[1]["id"]
    assert walk.call("GET", "/runs/{run_id}/timeline", ids)[1]["gaps"]
    assert [run["id"] for run in walk.call("GET", "/runs", query="?limit=1")[1]["items"]] == [ids["run_id"]]
    walk_opinions(walk, ids)
    assert walk.call("GET", "/environments")[1][0]["state"] == "idle"
    assert walk.call("GET", "/cold-starts", query=f"?agent={agent_id}")[1]["n"] == 0
    assert not walk.call("GET", f"{one}/keep-warm", ids, query="?ping_minutes=10")[1]["is_enough"]
    walk_budgets(walk, ids)
    walk_accounts(walk)
    walk_bulk(walk, ids)
    taken = walk.call("GET", f"{session}/export", ids, query="?format=json")
    assert taken[1]["invocations"][0]["id"] == ids["run_id"]
    assert walk.call("GET", "/runs/{run_id}/export", ids)[0] == 200
    evidence = walk.call("GET", "/runs/{run_id}/export", ids, query="?format=evidence")
    assert walk.call("POST", "/evidence", body=evidence[1])[0] == 200
    shared = walk.call("POST", f"{session}/links", ids, {"days": 1})
    ids["link_id"] = shared[1]["id"]
    assert walk.call("GET", f"{session}/links", ids)[1][0]["id"] == ids["link_id"]
    assert walk.call("DELETE", f"{session}/links/{{link_id}}", ids)[0] == 204
    walk_keeping(walk, session, ids)
    walk_queue(loom, walk, ids)
    repeated = walk.call("POST", "/runs/{run_id}/repeat", ids, {"is_fresh": True})
    assert repeated[0] == 202 and repeated[1]["repeated_from"] == ids["run_id"]
    assert walk.call("POST", f"{session}/stop", ids)[0] == 202
    assert walk.call("POST", f"{session}/end", ids)[0] == 200
    assert walk.call("GET", "/agents")[0] == walk.call("POST", f"{one}/refresh", ids)[0] == 200
    assert walk.call("PUT", f"{one}/star", ids)[0] == walk.call("DELETE", f"{one}/star", ids)[0] == 204
    tagged = walk.call("POST", "/agents/together", body={"action": "tag", "agent_ids": [agent_id], "tag": "demo"})
    assert tagged[1]["items"][0]["is_done"]
    series = walk.call("POST", f"{one}/start-series", ids, {"prompt": "Hi", "count": 1})
    assert series[0] == 202
    ids["series_id"] = series[1]["id"]
    assert walk.call("POST", "/start-series/{series_id}/cancel", ids)[0] == 202
    wait_until(
        lambda: walk.call("GET", "/start-series/{series_id}", ids)[1]["state"] != "running", "the series has ended"
    )
    walk_alerts(walk, agent_id)
    walk_plans(walk, ids, loom.agent_id("inventory_analyst"))
    walk_benches(walk, agent_id)
    assert walk.call("POST", "/runs/delete", body={"run_ids": [ids["run_id"]]})[1]["deleted"] == [ids["run_id"]]
    arn = walk.call("GET", one, ids)[1]["arn"]
    assert walk.call("DELETE", one, ids)[0] == 204
    assert walk.call("POST", "/agents", body={"arn": arn})[0] == 201

    no_json = {f"{session}/events", "/prompt-sets/{set_id}/export"}
    assert operations() - walk.seen == {("GET", path) for path in no_json}
    for method, path, body, status in (
        ("POST", "/agents", {"arn": "x"}, 400),
        ("POST", "/prompt-sets", {"name": "Days"}, 400),
        ("POST", "/side-by-side", {"targets": [], "prompt": "Hi"}, 400),
        ("GET", "/plans/{plan_id}", None, 404),
        ("GET", "/benches/{bench_id}", None, 404),
        ("POST", "/benches", {"prompt": "Hi"}, 400),
        ("GET", "/compare", None, 400),
        ("PUT", "/runs/{run_id}/rating", {"thumb": "sideways"}, 400),
        ("POST", "/views", {"name": "All", "query": "colour=red"}, 400),
        ("DELETE", "/views/{view_id}", None, 404),
        ("POST", "/evidence", {}, 422),
        ("POST", f"{session}/links", {"days": 1000}, 400),
        ("GET", "/runs/{run_id}/export", None, 404),
        ("POST", "/agents", {"arn": arn}, 409),
        ("POST", "/agents", {"arn": ARN}, 502),
        ("POST", f"{one}/invoke", {"prompt": "Hi", "qualifier": "nowhere"}, 400),
        ("POST", f"{one}/invoke", {}, 400),
        ("GET", f"{session}/latency", None, 404),
        ("POST", f"{session}/stop", None, 404),
        ("GET", "/start-series/{series_id}", None, 404),
        ("GET", "/runs/{run_id}/timeline", None, 404),
    ):
        found = walk.call(
            method,
            path,
            {
                **ids,
                "session_id": MISSING,
                "series_id": 10**6,
                "run_id": 10**6,
                "plan_id": 10**6,
                "bench_id": 10**6,
                "view_id": 10**6,
            },
            body,
        )
        assert (method, path, found[0]) == (method, path, status), json.dumps(found[1])
