from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.metrics.alerts.bell import Bell, bell
from apps.metrics.alerts.services import try_channels
from apps.metrics.alerts.telling.channels import make_channel
from apps.metrics.models import Alert, AlertChannel, AlertNotice, AlertRule
from apps.metrics.tests.alerting import look_again, rule_of, runs_at
from apps.sessions.models import Session
from apps.vault.services import use_secret

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    bell.forget()
    yield
    bell.forget()


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def alert(make_session: MakeSession, alice: User) -> Alert:
    session = make_session()
    now = timezone.now()
    runs_at(session, now, 20, failed=4)
    rule = rule_of(alice, name="Errors")
    for second in (1, 2):
        look_again(rule, now + timedelta(seconds=second))
    return rule.alerts.get()


def text_of(answer: Any) -> str:
    """What a page says, its markup left out."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def filled(**typed: Any) -> dict[str, Any]:
    """A form as a browser sends it."""
    fields = {
        "name": "Slow", "metric": "ttft_p50", "kind": "threshold", "agent": "", "qualifier": "", "version": "",
        "start": "", "window_s": "900", "direction": "above", "warning": "", "alert": "2000", "min_n": "20",
        "no_data": "keep", "is_enabled": "on",
    }  # fmt: skip
    return {**fields, **typed}


def test_without_any_alert_the_page_says_what_is_looked_at(as_alice: Client) -> None:
    page = text_of(as_alice.get(reverse("alerts:list")))

    assert "Nothing is wrong" in page and "New rule" in page
    assert "Needs you" not in page


def test_a_firing_alert_is_in_the_list_and_at_the_head_of_every_page(as_alice: Client, alert: Alert) -> None:
    page = text_of(as_alice.get(reverse("alerts:list")))
    assert f"{alert.agent.name}: Error rate is 20.0 %" in page and "Firing" in page
    assert "Needs you (1)" in text_of(as_alice.get(reverse("agents:list")))

    assert "No alert matches" in text_of(as_alice.get(reverse("alerts:list"), {"state": "snoozed"}))
    table = as_alice.get(
        reverse("alerts:list"), {"state": "open"}, headers={"HX-Request": "true", "HX-Target": "alert-table"}
    )
    assert table.content.decode().lstrip().startswith('<section class="card" id="alert-table"')


def test_the_bell_asks_once_in_a_while(alice: User, alert: Alert, django_assert_num_queries: Any) -> None:
    own = Bell(lasting_s=1000)
    with django_assert_num_queries(1):
        assert [own.count_for(alice) for _time in range(5)] == [1] * 5
    Alert.objects.update(state="acknowledged")
    assert own.count_for(alice) == 1
    own.forget()
    assert own.count_for(alice) == 0
    assert [Bell(lasting_s=0).count_for(alice) for _time in range(2)] == [0, 0]


def test_an_alert_shows_its_evidence_and_history_and_leads_to_the_runs(
    as_alice: Client, alert: Alert, bob: User
) -> None:
    answer = as_alice.get(alert.get_absolute_url())
    page = text_of(answer)
    assert "95 % interval" in page and "20 runs" in page
    assert "Pending, Alert" in page and "Firing, Alert" in page
    assert f"/runs/?agent={alert.agent_id}" in answer.content.decode()

    as_alice.force_login(bob)
    assert as_alice.get(alert.get_absolute_url()).status_code == 404
    assert as_alice.post(reverse("alerts:act", args=[alert.pk]), {"do": "resolve"}).status_code == 404


@pytest.mark.parametrize(
    ("do", "state"), [("acknowledge", "acknowledged"), ("snooze", "snoozed"), ("resolve", "resolved")]
)
def test_a_person_acts_on_an_alert(as_alice: Client, alert: Alert, alice: User, do: str, state: str) -> None:
    act = reverse("alerts:act", args=[alert.pk])
    answer = as_alice.post(act, {"do": do, "note": "On it", "minutes": "480"}, follow=True)

    change = alert.changes.get(number=3)
    assert (change.state, change.by, change.note) == (state, alice, "On it")
    assert "On it" in text_of(answer)
    assert "Needs you" not in text_of(answer)
    assert "That cannot be done" in text_of(as_alice.post(act, {"do": "explode"}, follow=True))


def test_a_rule_is_made_with_bounds_as_people_say_them(as_alice: Client, alice: User) -> None:
    answer = as_alice.post(
        reverse("alerts:rule-new"), filled(name="Errors", metric="error_rate", warning="2.5", alert="10")
    )

    rule = AlertRule.objects.get(owner=alice)
    assert answer.status_code == 302 and answer.headers["Location"] == rule.get_absolute_url()
    assert (rule.warning, rule.alert, rule.window_s) == (0.025, 0.1, 900)
    page = as_alice.get(rule.get_absolute_url()).content.decode()
    assert 'value="2.5"' in page and 'value="10.0"' in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "This field is required."),
        ({"alert": ""}, "a bound to warn at"),
        ({"warning": "3000"}, "the wrong way round"),
        ({"alert": "-1"}, "greater than or equal to 0"),
        ({"metric": "error_rate", "alert": "101"}, "0.05 is 5 %"),
        ({"kind": "change", "metric": "cost_usd"}, "A sum grows"),
        ({"agent": "4711"}, "This agent is not there."),
        ({"name": "Taken"}, "You have a rule called Taken already."),
    ],
)
def test_what_makes_no_sense_comes_back_with_all_that_was_typed(
    as_alice: Client, alice: User, typed: dict[str, str], said: str
) -> None:
    rule_of(alice, name="Taken")
    answer = as_alice.post(reverse("alerts:rule-new"), filled(qualifier="prod", **typed))

    assert answer.status_code == 422
    assert said in text_of(answer)
    assert 'value="prod"' in answer.content.decode()
    assert AlertRule.objects.filter(owner=alice).count() == 1


def test_a_preview_stands_below_the_form_and_stores_nothing(
    as_alice: Client, alice: User, make_session: MakeSession
) -> None:
    session = make_session()
    runs_at(session, timezone.now() - timedelta(hours=20), 30, failed=20, every=timedelta(minutes=2))
    typed = filled(metric="error_rate", alert="20", window_s="3600", min_n="5", preview="yes")

    page = text_of(as_alice.post(reverse("alerts:rule-new"), typed))

    assert "It would have told you 1 time." in page and session.agent.name in page
    assert not AlertRule.objects.filter(owner=alice).exists()
    nothing = text_of(as_alice.post(reverse("alerts:rule-new"), {**typed, "alert": "100"}))
    assert "It would have told you nothing." in nothing


def test_a_rule_is_changed_tried_and_deleted(as_alice: Client, alice: User, bob: User) -> None:
    rule = rule_of(alice, name="Errors")
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    changed = filled(name="Errors", metric="error_rate", alert="7", channels=[str(channel.pk)])
    assert as_alice.post(rule.get_absolute_url(), changed).status_code == 302
    rule.refresh_from_db()
    assert (rule.alert, list(rule.channels.all())) == (0.07, [channel])

    tried = as_alice.post(reverse("alerts:rule-test", args=[rule.pk]), follow=True)
    assert "A test goes to 1 channel." in text_of(tried)
    assert AlertNotice.objects.get().change is None

    as_alice.force_login(bob)
    for name in ("rule", "rule-delete"):
        assert as_alice.get(reverse(f"alerts:{name}", args=[rule.pk])).status_code == 404
        assert as_alice.post(reverse(f"alerts:{name}", args=[rule.pk]), changed).status_code == 404
    as_alice.force_login(alice)
    assert "goes for good" in text_of(as_alice.get(reverse("alerts:rule-delete", args=[rule.pk])))
    as_alice.post(reverse("alerts:rule-delete", args=[rule.pk]))
    assert not AlertRule.objects.filter(owner=alice).exists()


def test_a_rule_of_loom_is_read_by_all_and_changed_by_the_staff(as_alice: Client, carol: User) -> None:
    rule = AlertRule.objects.filter(owner=None, metric="total_p50").get()
    page = text_of(as_alice.get(rule.get_absolute_url()))
    assert "Came with Loom" in page and "What would it have said?" not in page
    assert as_alice.post(rule.get_absolute_url(), filled()).status_code == 404

    as_alice.force_login(carol)
    typed = filled(name=rule.name, metric="total_p50", alert="9000")
    assert as_alice.post(rule.get_absolute_url(), typed).status_code == 302
    rule.refresh_from_db()
    assert (rule.alert, rule.owner) == (9000, None)


def test_a_webhooks_key_is_shown_with_the_answer_and_never_again(as_alice: Client) -> None:
    typed = {"name": "Hook", "kind": "webhook", "address": "https://8.8.8.8/in"}
    answer = as_alice.post(reverse("alerts:channels"), typed)
    assert "Its key is not shown again." in text_of(answer)
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    channel = AlertChannel.objects.get()
    assert channel.secret is not None
    key = use_secret(secret=channel.secret, what="a test", now=timezone.now()).reveal()
    assert key in answer.content.decode()
    assert key not in as_alice.get(reverse("alerts:channels")).content.decode()


def test_a_channel_that_cannot_be_is_refused_and_one_is_deleted(as_alice: Client, alice: User, bob: User) -> None:
    address = reverse("alerts:channels")
    inside = as_alice.post(address, {"name": "In", "kind": "webhook", "address": "http://169.254.169.254/"})
    assert (inside.status_code, AlertChannel.objects.count()) == (422, 0)
    assert "private or reserved network" in text_of(inside)
    mail = {"name": "Ops", "kind": "email", "address": "ops@example.com"}
    assert as_alice.post(address, mail).status_code == 302
    assert "You have a channel called Ops already." in text_of(as_alice.post(address, mail))

    delete = reverse("alerts:channel-delete", args=[AlertChannel.objects.get().pk])
    as_alice.force_login(bob)
    assert as_alice.post(delete).status_code == 404
    assert "ops@example.com" not in text_of(as_alice.get(address))
    as_alice.force_login(alice)
    assert "goes for good" in text_of(as_alice.get(delete))
    as_alice.post(delete)
    assert not AlertChannel.objects.exists()


def test_what_did_not_arrive_is_listed_with_why_and_sent_again(as_alice: Client, alice: User, bob: User) -> None:
    assert "Everything arrived" in text_of(as_alice.get(reverse("alerts:notices")))
    channel, _key = make_channel(owner=alice, name="Ops", kind="email", address="ops@example.com")
    [notice] = try_channels(rule=rule_of(alice, channels=[channel]))
    AlertNotice.objects.update(state="dead", error_message="The mail server refuses these recipients.")

    assert "refuses these recipients" in text_of(as_alice.get(reverse("alerts:notices")))
    resend = reverse("alerts:notice-resend", args=[notice.pk])
    as_alice.force_login(bob)
    assert as_alice.post(resend).status_code == 404
    as_alice.force_login(alice)
    assert "It is sent again" in text_of(as_alice.post(resend, follow=True))
    assert "not among those that did not arrive" in text_of(as_alice.post(resend, follow=True))


def test_the_list_of_rules_finds_by_name_and_says_how_each_stands(as_alice: Client, alert: Alert) -> None:
    AlertRule.objects.filter(metric="timeout_rate").update(error_message="KeyError: 'x'")
    page = text_of(as_alice.get(reverse("alerts:rules")))

    assert "Errors" in page and "1 open" in page and "Off" in page and "Cannot look" in page
    found = text_of(as_alice.get(reverse("alerts:rules"), {"q": "slow answers"}))
    assert "Slow answers" in found and "Timeouts" not in found
    assert "No rule matches" in text_of(as_alice.get(reverse("alerts:rules"), {"q": "nothing like it"}))
