"""Calls of every operation of a running Loom, each answer held against the schema."""

from __future__ import annotations

import urllib.parse
from typing import Any

from jsonschema import Draft202012Validator

from loom.tests.fixtures import Loom
from loom.tests.running import wait_until


class Walk:
    """Calls a running Loom and holds each answer against the schema; remembers which operations it saw go well."""

    def __init__(self, loom: Loom) -> None:
        self._loom = loom
        self._schema = loom.get("/api/openapi.json")[1]
        self.seen: set[tuple[str, str]] = set()

    def call(
        self, method: str, path: str, ids: dict[str, Any] | None = None, body: object = None, query: str = ""
    ) -> tuple[int, Any]:
        address = f"/api{path}".format(**{key: urllib.parse.quote(str(value)) for key, value in (ids or {}).items()})
        status, answer = self._loom.request(method, address + query, body)
        responses = self._schema["paths"][f"/api{path}"][method.lower()]["responses"]
        if status < 400:
            self.seen.add((method, path))
        content = responses.get(str(status), responses["default"]).get("content")
        if content is None:
            assert answer is None
            return status, answer
        schema = {**content["application/json"]["schema"], "components": self._schema["components"]}
        Draft202012Validator(schema).validate(answer)
        if status >= 400:
            assert set(answer) == {"error", "message", "details"}
        return status, answer


def walk_queue(loom: Loom, walk: Walk, ids: dict[str, Any]) -> None:
    """Queue prompts behind an answer that does not end, and take them back: each kind of call once."""
    queue = "/agents/{agent_id}/sessions/{session_id}/queue"
    one = f"{queue}/{{prompt_id}}"
    loom.emulator.order(kind="silence", after_chunks=0, seconds=3_600)
    sent, first, _ = (walk.call("POST", queue, ids, {"prompt": str(number)})[1] for number in range(3))
    assert (sent["queued"], sent["invocation"], first["invocation"]) == (None, 2, None)
    ids = ids | {"prompt_id": first["queued"]["id"]}
    assert walk.call("PATCH", one, ids, {"prompt": "Hi", "position": 2})[0] == walk.call("GET", queue, ids)[0] == 200
    assert walk.call("DELETE", one, ids)[0] == 204
    assert walk.call("POST", f"{queue}/send", ids) == (202, {"id": None, "invocation": None})
    assert walk.call("DELETE", queue, ids) == (200, {"removed_count": 1})


def walk_keeping(walk: Walk, session: str, ids: dict[str, Any]) -> None:
    """Pin, archive, delete a session and take each back: each kind of call once."""
    one = {"public_id": walk.call("GET", session, ids)[1]["public_id"]}
    path = "/sessions/{public_id}"
    assert walk.call("POST", f"{path}/pin", one)[1]["is_pinned"]
    assert not walk.call("POST", f"{path}/unpin", one)[1]["is_pinned"]
    assert walk.call("POST", f"{path}/archive", one)[1]["archived_at"]
    assert walk.call("POST", f"{path}/revive", one)[1]["archived_at"] is None
    assert walk.call("DELETE", path, one)[0] == 204 and walk.call("GET", session, ids)[0] == 404
    assert walk.call("POST", f"{path}/restore", one)[1]["session_id"] == ids["session_id"]


def walk_opinions(walk: Walk, ids: dict[str, Any]) -> None:
    """Rate a run and save a view, and take both back: each kind of call once."""
    rating = "/runs/{run_id}/rating"
    assert walk.call("GET", rating, ids)[1]["rated_at"] is None
    assert walk.call("PUT", rating, ids, {"thumb": "up", "note": "Bien sûr 🎈"})[1]["note"] == "Bien sûr 🎈"
    assert walk.call("GET", rating, ids)[1]["thumb"] == "up"
    assert walk.call("DELETE", rating, ids)[0] == walk.call("DELETE", rating, ids)[0] == 204
    made = walk.call("POST", "/views", body={"name": "Failed", "query": "status=failed&after=t1-1"})
    assert (made[0], made[1]["query"], made[1]["url"]) == (201, "status=failed", "/runs/?status=failed")
    assert walk.call("GET", "/views")[1] == [made[1]]
    assert walk.call("DELETE", "/views/{view_id}", {"view_id": made[1]["id"]})[0] == 204


def walk_budgets(walk: Walk, ids: dict[str, Any]) -> None:
    """Limit an agent and no more: each kind of call once."""
    asked = {"scope": "agent", "scope_id": ids["agent_id"], "period": "day", "limit_usd": 100}
    status, made = walk.call("POST", "/budgets", body=asked)
    assert (status, made["state"]) == (201, "open")
    one = {"budget_id": made["id"]}
    assert walk.call("GET", "/budgets/{budget_id}", one)[1] == made
    assert walk.call("GET", "/budgets")[1] == [made]
    assert walk.call("PATCH", "/budgets/{budget_id}", one, {"name": "Trips"})[1]["name"] == "Trips"
    assert walk.call("DELETE", "/budgets/{budget_id}", one)[0] == 204


def walk_accounts(walk: Walk) -> None:
    """Add an account whose role nobody gets into, ask it and let it go: each kind of call once."""
    asked = {"label": "production", "role_arn": "arn:aws:iam::444455556666:role/loom", "regions": ["us-east-1"]}
    status, made = walk.call("POST", "/aws-accounts", body=asked)
    assert (status, made["state"]) == (201, "unchecked")
    path, one = "/aws-accounts/{account_key}", {"account_key": made["id"]}
    assert walk.call("GET", path, one)[1] == walk.call("GET", "/aws-accounts")[1][0] == made
    assert walk.call("POST", f"{path}/check", one)[1]["state"] == "failing"
    assert walk.call("PATCH", path, one, {"is_enabled": False})[1]["state"] == "disabled"
    assert walk.call("DELETE", path, one)[0] == 204


def walk_bulk(walk: Walk, ids: dict[str, Any]) -> None:
    """Tag a run, take the tag away, give its session a title, and look for its start again."""
    body = {"run_ids": [ids["run_id"]], "tag": "School"}
    assert walk.call("POST", "/runs/tag", body=body) == (200, {"tag": "School", "run_ids": [ids["run_id"]]})
    assert walk.call("POST", "/runs/untag", body=body) == (200, {"count": 1})
    session = "/agents/{agent_id}/sessions/{session_id}"
    assert walk.call("PATCH", session, ids, {"title": "東京"})[1]["title"] == "東京"
    assert [one["title"] for one in walk.call("GET", "/sessions", query="?limit=1")[1]] == ["東京"]
    assert walk.call("POST", "/runs/{run_id}/latency/check", ids)[0] == 202


def walk_prompts(walk: Walk, one: dict[str, Any]) -> None:
    """Change the prompts of a set: each kind of call once."""
    prompts = "/prompt-sets/{set_id}/prompts"
    assert walk.call("PATCH", "/prompt-sets/{set_id}", one, {"name": "Days off"})[1]["name"] == "Days off"
    added = walk.call("POST", prompts, one, {"prompts": [{"prompt": "Hi"}]})[1]["prompts"][1]
    item = {**one, "item_id": added["id"]}
    assert walk.call("PATCH", f"{prompts}/{{item_id}}", item, {"prompt": "Ho"})[1]["prompt"] == "Ho"
    assert walk.call("DELETE", f"{prompts}/{{item_id}}", item)[0] == 204


def walk_plans(walk: Walk, ids: dict[str, Any], other_id: int) -> None:
    """Make a prompt set of a run, run it and a prompt side by side: each kind of call once, and a plan to its end."""
    made = walk.call("POST", "/prompt-sets", body={"name": "Days", "run_ids": [ids["run_id"]]})[1]
    one = {"set_id": made["id"]}
    assert [found["id"] for found in walk.call("GET", "/prompt-sets")[1]] == [made["id"]]
    assert walk.call("GET", "/prompt-sets/{set_id}", one)[1]["prompts"][0]["run_id"] == ids["run_id"]
    walk_prompts(walk, one)
    targets = [{"agent_id": ids["agent_id"]}, {"agent_id": other_id}]
    asked = {"targets": targets[:1], "repeats": 2}
    assert walk.call("POST", "/prompt-sets/{set_id}/estimate", one, asked)[1]["run_count"] == 2
    assert walk.call("POST", "/side-by-side/estimate", body={"targets": targets})[1]["run_count"] == 2
    started = walk.call("POST", "/prompt-sets/{set_id}/run", one, asked)
    assert started[0] == 202
    plan = {"plan_id": started[1]["id"]}
    wait_until(lambda: walk.call("GET", "/plans/{plan_id}", plan)[1]["state"] == "done", "the plan has ended")
    assert walk.call("GET", "/plans/{plan_id}", plan)[1]["done"] == 2
    assert walk.call("GET", "/plans", query="?limit=1")[1][0]["id"] == plan["plan_id"]
    assert walk.call("DELETE", "/prompt-sets/{set_id}", one)[0] == 204
    beside = walk.call("POST", "/side-by-side", body={"targets": targets, "prompt": "Hi"})
    assert beside[0] == 202
    runs = [run["run_id"] for run in beside[1]["runs"]]
    compared = walk.call("GET", "/compare", query=f"?runs={runs[0]},{runs[1]}")
    assert [run["run_id"] for run in compared[1]["runs"]] == runs
    over = walk.call("GET", "/compare", query=f"?target={ids['agent_id']}:DEFAULT:*&target={other_id}&range=1h")
    assert [one["agent_id"] for one in over[1]["targets"]] == [ids["agent_id"], other_id]
    assert walk.call("POST", "/plans/{plan_id}/cancel", {"plan_id": beside[1]["id"]})[0] == 202


def walk_benches(walk: Walk, agent_id: int) -> None:
    """Measure an agent against itself: each kind of call once, until it is cancelled."""
    asked = {"first": {"agent_id": agent_id}, "second": {"agent_id": agent_id}, "prompt": "Hi", "pairs": 8}
    assert walk.call("POST", "/benches/estimate", body=asked)[1]["run_count"] == 2 * (3 * 8 + 2 + 2 + 5)
    begun = walk.call("POST", "/benches", body=asked)
    assert begun[0] == 202
    one = {"bench_id": begun[1]["id"]}
    assert walk.call("GET", "/benches", query="?limit=1")[1][0]["id"] == one["bench_id"]
    assert walk.call("POST", "/benches/{bench_id}/cancel", one)[0] == 202
    wait_until(lambda: walk.call("GET", "/benches/{bench_id}", one)[1]["outcome"] == "cancelled", "the bench has ended")


def walk_alerts(walk: Walk, agent_id: int) -> None:
    """Make a rule that is broken, act on its alert, try a channel that no mail leaves by: each kind of call once."""
    assert (
        walk.call("POST", "/alert-channels", body={"name": "Ops", "kind": "email", "address": "a@b.example"})[0] == 201
    )
    assert [one["name"] for one in walk.call("GET", "/alert-channels")[1]] == ["Ops"]
    body = {
        "name": "Used", "metric": "run_count", "target": {"agent_id": agent_id}, "alert": 0, "min_n": 0,
        "window_s": 86_400, "channels": ["Ops"],
    }  # fmt: skip
    assert walk.call("POST", "/alert-rules/preview", body=body)[0] == 200
    one = {"rule_id": walk.call("POST", "/alert-rules", body=body)[1]["id"]}
    rule = "/alert-rules/{rule_id}"
    assert walk.call("GET", rule, one)[0] == walk.call("GET", "/alert-rules")[0] == 200
    wait_until(lambda: bool(walk.call("GET", "/alerts")[1]["items"]), "the rule was looked at")
    alert = {"alert_id": walk.call("GET", "/alerts", query="?state=pending")[1]["items"][0]["id"]}
    for act in ("acknowledge", "snooze", "resolve"):
        assert walk.call("POST", f"/alerts/{{alert_id}}/{act}", alert, {"note": "Bien sûr"})[0] == 200
    assert walk.call("POST", "/alerts/{alert_id}/resolve", alert, {})[0] == 409
    assert len(walk.call("GET", "/alerts/{alert_id}", alert)[1]["changes"]) == 4
    notice = {"notice_id": walk.call("POST", f"{rule}/test", one)[1][0]["id"]}
    wait_until(lambda: bool(walk.call("GET", "/alert-notices")[1]), "no mail leaves, and that is said")
    assert walk.call("POST", "/alert-notices/{notice_id}/resend", notice)[0] == 202
    assert walk.call("PATCH", rule, one, {"alert": 1})[1]["alert"] == 1
    assert walk.call("DELETE", rule, one)[0] == walk.call("DELETE", "/alert-channels/{name}", {"name": "Ops"})[0] == 204
