"""Measure start in a whole Loom: asked for over the API, run by the web process, measured by the worker."""

from __future__ import annotations

from typing import Any

from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom.tests.visiting import LOGS_TIMEOUT_S, get_page, rows


def start(loom: Loom, agent: str, **body: Any) -> dict[str, Any]:
    path = f"/api/agents/{loom.agent_id(agent)}/start-series"
    status, series = loom.post(path, {"prompt": "Two days in Ghent", **body})
    assert status == 202, series
    return dict(series)


def read(loom: Loom, series: dict[str, Any]) -> dict[str, Any]:
    return dict(loom.get(f"/api/start-series/{series['id']}")[1])


def finished(loom: Loom, series: dict[str, Any]) -> dict[str, Any]:
    wait_until(lambda: read(loom, series)["state"] != "running", "the series is over", LOGS_TIMEOUT_S)
    return read(loom, series)


def test_a_series_measures_new_sessions_and_ends_them(loom: Loom) -> None:
    series = start(loom, "travel_concierge", count=2)
    ended = finished(loom, series)
    assert (ended["state"], ended["done"], ended["failed"], ended["message"]) == ("done", 2, 0, "")

    wait_until(lambda: read(loom, series)["waiting"] == 0, "the starts are found", LOGS_TIMEOUT_S)
    found = read(loom, series)
    assert (found["measured"], found["not_found"]) == (2, 0)
    assert 0 < found["min_ms"] <= found["max_ms"]
    assert found["p50_ms"] is None  # of two runs there is no median
    stored = rows(loom, "metrics.startseriesrun", "agent_sessions.invocation", "agent_sessions.session")
    runs = [row for row in stored if row["model"] == "metrics.startseriesrun" and row["series"] == series["id"]]
    assert [(run["position"], run["is_warm"]) for run in runs] == [(1, False), (1, True), (2, False), (2, True)]
    sent = {row["pk"]: row for row in stored if row["model"] == "agent_sessions.invocation"}
    sessions = {row["pk"]: row for row in stored if row["model"] == "agent_sessions.session"}
    asked = [sent[run["invocation"]] for run in runs]
    assert {run["status"] for run in asked} == {"completed"}
    assert len({run["session"] for run in asked}) == 2
    assert all(sessions[run["session"]]["ended_at"] for run in asked)
    assert "2 of 2 sessions" in get_page(loom, f"/operate/start-series/{series['id']}/")


def test_a_cancelled_series_stops_its_prompt_and_sends_no_other(loom: Loom) -> None:
    loom.emulator.order(kind="silence", after_chunks=5, seconds=3_600)
    series = start(loom, "code_tutor", count=50)

    def runs() -> list[dict[str, Any]]:
        return [row for row in rows(loom, "metrics.startseriesrun") if row["series"] == series["id"]]

    wait_until(lambda: len(runs()) > 0, "the first prompt is out")
    loom.post(f"/api/start-series/{series['id']}/cancel", {})
    ended = finished(loom, series)

    assert ended["state"] == "cancelled"
    assert ended["message"] == "Cancelled. What was measured until then is kept."
    loom.emulator.clear()  # it may have been stopped before it came to be silent
    [asked] = runs()

    def is_stopped() -> bool:
        stored = rows(loom, "agent_sessions.invocation")
        return [row["status"] for row in stored if row["pk"] == asked["invocation"]] == ["stopped"]

    wait_until(is_stopped, "the prompt is stopped")
    assert read(loom, series)["done"] == 0


def test_a_series_that_only_fails_gives_up(loom: Loom) -> None:
    ended = finished(loom, start(loom, "claims_intake", count=9))

    assert (ended["state"], ended["done"], ended["failed"]) == ("failed", 3, 3)
    assert ended["message"].startswith("3 sessions failed one after the other")


def test_forty_sessions_at_once_find_the_emulators_pool(loom: Loom) -> None:
    series = start(loom, "contract_reviewer", count=40, at_once=True)
    assert finished(loom, series)["state"] == "done"

    wait_until(lambda: read(loom, series)["waiting"] == 0, "the starts are found", LOGS_TIMEOUT_S)
    pool = read(loom, series)["pool"]
    assert (pool["sent"], pool["by"], pool["is_least"]) == (40, "logs", False)
    assert abs(pool["size"] - 3) <= 1  # POOL_SIZE of the emulator, of which Loom is told nothing
    assert "stood ready" in get_page(loom, f"/operate/start-series/{series['id']}/")
