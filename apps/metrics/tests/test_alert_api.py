from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.alerts.services import try_channels
from apps.metrics.alerts.telling.channels import make_channel
from apps.metrics.models import Alert, AlertNotice, AlertRule
from apps.metrics.tests.alerting import look_again, rule_of, runs_at
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def call(client: Client, method: str, path: str, body: Any = None) -> Any:
    sent = "" if body is None else json.dumps(body)
    return client.generic(method, f"/api{path}", sent, content_type="application/json")


def test_a_rule_is_made_read_changed_and_deleted(as_alice: Client, alice: User, make_session: MakeSession) -> None:
    make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    agent = make_session().agent
    body = {
        "name": "Slow", "metric": "ttft_p90", "target": {"agent_id": agent.pk, "start": "warm"}, "window_s": 900,
        "warning": 900, "alert": 2000, "min_n": 40, "no_data": "ok", "channels": ["Ops"],
    }  # fmt: skip

    made = call(as_alice, "POST", "/alert-rules", body)
    assert made.status_code == 201
    rule = made.json()
    assert {name: rule[name] for name in body} | {"target": body["target"]} == body
    assert rule["target"] == {
        "agent_id": agent.pk,
        "qualifier": "",
        "version": "",
        "start": "warm",
        "counts_tests": False,
    }
    assert (rule["owner"], rule["kind"], rule["direction"], rule["is_enabled"]) == (
        alice.email,
        "threshold",
        "above",
        True,
    )

    changed = call(as_alice, "PATCH", f"/alert-rules/{rule['id']}", {"warning": None, "channels": [], "window_s": 3600})
    assert changed.status_code == 200
    assert changed.json() == call(as_alice, "GET", f"/alert-rules/{rule['id']}").json()
    kept = {name: rule[name] for name in ("name", "metric", "target", "alert", "min_n", "no_data")}
    assert {name: changed.json()[name] for name in kept} == kept
    assert [changed.json()[name] for name in ("warning", "channels", "window_s")] == [None, [], 3600]

    listed = call(as_alice, "GET", "/alert-rules").json()
    assert rule["id"] in [one["id"] for one in listed] and len(listed) == 7
    assert call(as_alice, "DELETE", f"/alert-rules/{rule['id']}").status_code == 204
    assert not AlertRule.objects.filter(owner=alice).exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metric": "ttft_p99"}, "The metric is one of ttft_p50"),
        ({"alert": None}, "a bound to warn at"),
        ({"alert": -1}, "a number of 0 or more"),
        ({"metric": "error_rate", "alert": 5}, "0.05 is 5 %"),
        ({"warning": 3000}, "the wrong way round"),
        ({"window_s": 59}, "The window is 60 to"),
        ({"window_s": 604_801}, "The window is 60 to"),
        ({"min_n": -1}, "least number of runs"),
        ({"no_data": "maybe"}, "no_data is one of"),
        ({"direction": "left"}, "direction is one of"),
        ({"kind": "guess"}, "kind is threshold or change"),
        ({"kind": "change", "metric": "run_count"}, "A sum grows"),
        ({"kind": "change", "direction": "below"}, "slower or fails more"),
        ({"target": {"start": "hot"}}, "start is one of"),
        ({"target": {"version": "x" * 11}}, "version has at most"),
        ({"name": " "}, "A name has 1 to 120"),
        ({"name": "a\nb"}, "on one line"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(as_alice: Client, wrong: dict[str, Any], said: str) -> None:
    answer = call(as_alice, "POST", "/alert-rules", {"name": "Slow", "metric": "ttft_p50", "alert": 2000, **wrong})

    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert not AlertRule.objects.exclude(owner=None).exists()


def test_a_name_is_given_once_and_an_agent_or_channel_has_to_be_there(as_alice: Client, alice: User, bob: User) -> None:
    make_channel(owner=bob, name="Ops", kind="email", address="ops@example.com")
    body = {"name": "Slow", "metric": "ttft_p50", "alert": 2000}
    assert call(as_alice, "POST", "/alert-rules", body).status_code == 201

    assert call(as_alice, "POST", "/alert-rules", body).json()["error"] == "rule_name_taken"
    for more in ({"channels": ["Ops"]}, {"target": {"agent_id": 4711}}):
        assert call(as_alice, "POST", "/alert-rules", {**body, "name": "Other", **more}).status_code == 404


def test_rules_of_others_are_missing_and_looms_own_are_the_staffs_to_change(
    as_alice: Client, bob: User, carol: User
) -> None:
    others = rule_of(bob)
    own = AlertRule.objects.filter(owner=None).first()
    assert own is not None

    for method, tail in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test")):
        body: dict[str, Any] | None = {} if method in {"PATCH", "POST"} else None
        assert call(as_alice, method, f"/alert-rules/{others.pk}{tail}", body).status_code == 404
        expected = 200 if method == "GET" else 404
        assert call(as_alice, method, f"/alert-rules/{own.pk}{tail}", body).status_code == expected
    as_alice.force_login(carol)
    assert call(as_alice, "PATCH", f"/alert-rules/{own.pk}", {"is_enabled": False}).json()["is_enabled"] is False


def test_the_staff_changes_a_rule_and_its_channels_and_archived_agent_stay(
    as_alice: Client, alice: User, carol: User, make_session: MakeSession
) -> None:
    agent = make_session().agent
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    rule = rule_of(alice, agent=agent, channels=[channel])
    type(agent).objects.filter(pk=agent.pk).update(removed_at=timezone.now())
    as_alice.force_login(carol)

    changed = call(as_alice, "PATCH", f"/alert-rules/{rule.pk}", {"alert": 0.5})

    assert (changed.status_code, changed.json()["channels"]) == (200, ["Ops"])
    assert changed.json()["target"]["agent_id"] == agent.pk
    assert agent.name in as_alice.get(rule.get_absolute_url()).content.decode()


def fired(session: Session, rule: AlertRule) -> Alert:
    now = timezone.now()
    runs_at(session, now, 20, failed=4)
    look_again(rule, now + timedelta(seconds=1))
    look_again(rule, now + timedelta(seconds=2))
    return rule.alerts.get()


def test_alerts_are_listed_by_state_and_taken_care_of(as_alice: Client, alice: User, make_session: MakeSession) -> None:
    session = make_session()
    alert = fired(session, rule_of(alice, name="Errors"))

    [listed] = call(as_alice, "GET", "/alerts?state=firing").json()["items"]
    assert (listed["id"], listed["agent"], listed["state"], listed["value"]) == (
        alert.pk, session.agent.name, "firing", 0.2
    )  # fmt: skip
    assert listed["title"] == f"{session.agent.name}: Error rate is 20.0 %"
    assert f"agent={session.agent_id}" in listed["evidence_url"] and "error=any" in listed["evidence_url"]
    assert call(as_alice, "GET", "/alerts?state=resolved").json() == {"items": [], "next": None}
    assert call(as_alice, "GET", "/alerts?state=lost").status_code == 400

    noted = call(as_alice, "POST", f"/alerts/{alert.pk}/acknowledge", {"note": "On it"}).json()
    assert (noted["state"], noted["changes"][-1]["by"], noted["changes"][-1]["note"]) == (
        "acknowledged", alice.email, "On it"
    )  # fmt: skip
    snoozed = call(as_alice, "POST", f"/alerts/{alert.pk}/snooze", {"minutes": 30}).json()
    assert snoozed["state"] == "snoozed" and snoozed["snoozed_until"] is not None
    assert call(as_alice, "POST", f"/alerts/{alert.pk}/snooze", {"minutes": 0}).status_code in {400, 422}
    assert call(as_alice, "POST", f"/alerts/{alert.pk}/resolve", {}).json()["state"] == "resolved"
    again = call(as_alice, "POST", f"/alerts/{alert.pk}/acknowledge", {})
    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    states = [change["state"] for change in call(as_alice, "GET", f"/alerts/{alert.pk}").json()["changes"]]
    assert states == ["pending", "firing", "acknowledged", "snoozed", "resolved"]


def test_the_evidence_leads_to_the_runs_that_count(as_alice: Client, alice: User, make_session: MakeSession) -> None:
    session, other = make_session(), make_session()
    runs_at(other, timezone.now(), 5, failed=5)
    alert = fired(session, rule_of(alice, agent=session.agent))
    address = call(as_alice, "GET", f"/alerts/{alert.pk}").json()["evidence_url"]

    page = as_alice.get(address)
    shown = page.content.decode()
    assert page.status_code == 200
    assert shown.count('class="row-name row-link"') == 4
    program = call(as_alice, "GET", f"/runs?{address.partition('?')[2]}").json()
    assert len(program["items"]) == 4


def test_what_loom_itself_finds_is_everybodys_and_what_a_rule_of_ones_own_finds_is_not(
    as_alice: Client, bob: User, make_session: MakeSession
) -> None:
    own = AlertRule.objects.filter(owner=None, metric="error_rate", is_change=False).get()
    session = make_session()
    of_loom = fired(session, own)
    bobs = rule_of(bob)
    look_again(bobs)
    hidden = bobs.alerts.get()

    assert [one["id"] for one in call(as_alice, "GET", "/alerts").json()["items"]] == [of_loom.pk]
    assert call(as_alice, "POST", f"/alerts/{of_loom.pk}/acknowledge", {}).status_code == 200
    for tail in ("acknowledge", "snooze", "resolve"):
        assert call(as_alice, "POST", f"/alerts/{hidden.pk}/{tail}", {}).status_code == 404
    assert call(as_alice, "GET", f"/alerts/{hidden.pk}").status_code == 404


def test_many_alerts_come_a_hundred_at_a_time(as_alice: Client, alice: User, make_session: MakeSession) -> None:
    session = make_session()
    now = timezone.now()
    rule = rule_of(alice)
    Alert.objects.bulk_create(
        Alert(rule=rule, agent=session.agent, state="resolved", level="alert", since_at=now, opened_at=now, seen_at=now)
        for _number in range(201)
    )
    found: list[int] = []
    path: str | None = "/alerts?state=resolved"
    while path is not None:
        body = call(as_alice, "GET", path).json()
        found += [one["id"] for one in body["items"]]
        path = body["next"] and body["next"].removeprefix("/api")
    assert found == sorted(Alert.objects.values_list("pk", flat=True), reverse=True)


def test_channels_are_made_listed_tried_and_deleted(as_alice: Client, alice: User, settings: Any) -> None:
    body = {"name": "Ops", "kind": "email", "address": "ops@example.com"}
    assert call(as_alice, "POST", "/alert-channels", body).json() == {**body, "signing_key": None}
    assert call(as_alice, "POST", "/alert-channels", body).json()["error"] == "channel_name_taken"
    refused = call(as_alice, "POST", "/alert-channels", {"name": "In", "kind": "webhook", "address": "http://[::1]/"})
    assert (refused.status_code, refused.json()["error"]) == (400, "url_refused")
    hook = call(as_alice, "POST", "/alert-channels", {"name": "H", "kind": "webhook", "address": "https://8.8.8.8/x"})
    assert len(hook.json()["signing_key"]) > 40
    assert call(as_alice, "GET", "/alert-channels").json() == [
        {"name": "H", "kind": "webhook", "address": "https://8.8.8.8/x"}, body
    ]  # fmt: skip

    rule = call(as_alice, "POST", "/alert-rules", {"name": "E", "metric": "error_rate", "alert": 0.1}).json()["id"]
    assert call(as_alice, "POST", f"/alert-rules/{rule}/test").status_code == 409
    call(as_alice, "PATCH", f"/alert-rules/{rule}", {"channels": ["Ops"]})
    tried = call(as_alice, "POST", f"/alert-rules/{rule}/test")
    assert (tried.status_code, [one["channel"] for one in tried.json()]) == (202, ["Ops"])
    assert call(as_alice, "DELETE", "/alert-channels/Ops").status_code == 204
    assert call(as_alice, "GET", f"/alert-rules/{rule}").json()["channels"] == []
    assert call(as_alice, "DELETE", "/alert-channels/Ops").status_code == 404


def test_what_did_not_arrive_is_listed_and_sent_again(as_alice: Client, alice: User, bob: User) -> None:
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    [notice] = try_channels(rule=rule_of(alice, channels=[channel]))
    path = f"/alert-notices/{notice.pk}/resend"
    assert call(as_alice, "POST", path).status_code == 409
    AlertNotice.objects.update(state="dead", tries=6, error_message="The webhook answered 503.")

    [dead] = call(as_alice, "GET", "/alert-notices").json()
    assert (dead["id"], dead["error"], dead["alert_id"]) == (notice.pk, "The webhook answered 503.", None)
    as_alice.force_login(bob)
    assert call(as_alice, "GET", "/alert-notices").json() == []
    assert call(as_alice, "POST", path).status_code == 404
    as_alice.force_login(alice)
    again = call(as_alice, "POST", path)
    assert (again.status_code, again.json()["state"], again.json()["tries"]) == (202, "waiting", 0)


def test_a_preview_says_what_a_rule_would_have_said_and_stores_nothing(
    as_alice: Client, alice: User, make_session: MakeSession
) -> None:
    session = make_session()
    now = timezone.now()
    for hours in (30, 20, 10):
        runs_at(session, now - timedelta(hours=hours), 30, failed=15 if hours == 20 else 0, every=timedelta(minutes=2))
    body = {"name": "E", "metric": "error_rate", "alert": 0.2, "window_s": 3600, "min_n": 5}

    told = call(as_alice, "POST", "/alert-rules/preview", body).json()

    [episode] = told["episodes"]
    assert (episode["agent"], episode["level"], episode["worst"]) == (session.agent.name, "alert", 1.0)
    assert (told["run_count"], told["is_cut"], told["compared"]) == (90, False, [])
    assert told["silent_count"] > 0
    assert not Alert.objects.exists() and not AlertRule.objects.exclude(owner=None).exists()
    calm = call(as_alice, "POST", "/alert-rules/preview", {**body, "alert": 1}).json()
    assert calm["episodes"] == []


def test_a_preview_misses_no_short_window(as_alice: Client, make_session: MakeSession) -> None:
    """Three bad minutes in a week, of a rule that is looked at every 30 seconds."""
    session = make_session()
    now = timezone.now()
    runs_at(session, now - timedelta(days=3), 36, failed=36, every=timedelta(seconds=5))
    body = {"name": "E", "metric": "error_rate", "alert": 0.2, "window_s": 300, "min_n": 10, "no_data": "ok"}

    told = call(as_alice, "POST", "/alert-rules/preview", body).json()

    assert [episode["worst"] for episode in told["episodes"]] == [1.0]
    assert 20_100 <= told["look_count"] <= 20_200


def test_a_preview_of_changes_compares_the_newest_versions(as_alice: Client, make_session: MakeSession) -> None:
    session = make_session()
    now = timezone.now()
    for version, hours, ms in (("3", 20, 500.0), ("4", 2, 900.0)):
        runs_at(session, now - timedelta(hours=hours), 40, version=version, ttft_ms=ms, kind="reused")
    body = {"name": "C", "metric": "ttft_p50", "kind": "change", "alert": 0.2}

    [one] = call(as_alice, "POST", "/alert-rules/preview", body).json()["compared"]

    # The hours of the day may differ, and then nothing may be compared.
    assert (one["version"], one["before_version"], one["n"], one["next_look"]) == ("4", "3", 40, 75)
