from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.core.exceptions import ConflictError
from apps.metrics.alerts import services
from apps.metrics.alerts.evaluating import due_rules, evaluate_due, evaluate_rule, every
from apps.metrics.alerts.telling.channels import make_channel
from apps.metrics.models import Alert, AlertNotice, AlertRule
from apps.metrics.tests.alerting import look_again, rule_of, runs_at
from apps.sessions.models import Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]


@pytest.fixture
def now() -> datetime:
    """The middle of the last quarter of a day, which are strata: what ends there has all of its runs within one."""
    now = timezone.now()
    middle = now.replace(minute=0, second=0, microsecond=0)
    return middle - timedelta(hours=(middle.hour - 3) % 6)


def history(alert: Alert) -> list[str]:
    return list(alert.changes.order_by("number").values_list("state", flat=True))


def test_an_agent_that_fails_alerts_once_and_is_told_once(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    session = make_session()
    channel, _key = make_channel(owner=alice, name="Mail", kind="email", address="ops@example.com")
    rule = rule_of(alice, channels=[channel])
    runs_at(session, now, 20, failed=4)

    for minute in range(4):
        look_again(rule, now + timedelta(seconds=30 * (minute + 1)))

    alert = Alert.objects.get()
    assert (alert.agent, alert.state, alert.level, alert.n, alert.value) == (session.agent, "firing", "alert", 20, 0.2)
    assert history(alert) == ["pending", "firing"]
    assert list(AlertNotice.objects.values_list("change__state", "channel", "state")) == [
        ("firing", channel.pk, "waiting")
    ]


def test_it_ends_when_two_looks_find_nothing(make_session: MakeSession, alice: User, now: datetime) -> None:
    session = make_session()
    rule = rule_of(alice)
    runs_at(session, now, 20, failed=4)
    look_again(rule, now + timedelta(seconds=30))
    look_again(rule, now + timedelta(seconds=60))
    later = now + timedelta(minutes=10)
    runs_at(session, later, 20)

    look_again(rule, later + timedelta(seconds=1))
    look_again(rule, later + timedelta(seconds=2))

    alert = Alert.objects.get()
    assert history(alert) == ["pending", "firing", "resolved"]
    assert alert.resolved_at == later + timedelta(seconds=2)
    assert (alert.value, alert.worst) == (0.2, 0.2)  # what it was about stays


@pytest.mark.parametrize(
    ("no_data", "states"), [("keep", ["pending", "firing"]), ("ok", ["pending", "firing", "resolved"])]
)
def test_with_too_few_runs_the_rule_says_what_follows(
    make_session: MakeSession, alice: User, now: datetime, no_data: str, states: list[str]
) -> None:
    rule = rule_of(alice, no_data=no_data)
    runs_at(make_session(), now, 20, failed=4)
    for second in (1, 2):
        look_again(rule, now + timedelta(seconds=second))

    for hour in (1, 2):
        look_again(rule, now + timedelta(hours=hour))

    assert history(Alert.objects.get()) == states


def test_an_agent_that_is_used_and_falls_silent_can_be_missed(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    session, other = make_session(), make_session()
    runs_at(session, now - timedelta(hours=3), 5)
    runs_at(other, now - timedelta(days=9), 5)  # not used any more
    rule = rule_of(alice, metric="run_count", direction="below", alert=1, min_n=0, window_s=3600)

    look_again(rule, now)
    look_again(rule, now + timedelta(seconds=1))

    alert = Alert.objects.get()
    assert (alert.agent, alert.state, alert.value) == (session.agent, "firing", 0)


def test_no_data_itself_can_alert(make_session: MakeSession, alice: User, now: datetime) -> None:
    session = make_session()
    runs_at(session, now - timedelta(hours=3), 5)
    rule = rule_of(alice, no_data="alert")

    look_again(rule, now)

    assert Alert.objects.get().is_no_data


def test_each_agent_is_looked_at_for_itself(make_session: MakeSession, alice: User, now: datetime) -> None:
    good, bad = make_session(), make_session()
    runs_at(good, now, 90)
    runs_at(bad, now, 10, failed=4)
    rule = rule_of(alice)

    look_again(rule, now + timedelta(seconds=1))

    assert [alert.agent for alert in Alert.objects.all()] == [bad.agent]


@pytest.mark.parametrize(
    ("target", "is_seen"),
    [
        ({}, True), ({"qualifier": "DEFAULT"}, True), ({"qualifier": "prod"}, False), ({"version": "3"}, True),
        ({"version": "4"}, False), ({"start": "cold"}, True), ({"start": "warm"}, False),
    ],
)  # fmt: skip
def test_a_target_narrows_what_is_looked_at(
    make_session: MakeSession, alice: User, now: datetime, target: dict[str, Any], is_seen: bool
) -> None:
    runs_at(make_session(), now, 20, failed=4, kind="created")
    rule = rule_of(alice, **target)

    look_again(rule, now + timedelta(seconds=1))

    assert Alert.objects.exists() is is_seen


@pytest.mark.parametrize("source", ["measure", "prompt_set", "side_by_side"])
def test_what_only_tries_an_agent_out_does_not_count_unless_the_rule_says_so(
    make_session: MakeSession, alice: User, now: datetime, source: str
) -> None:
    runs_at(make_session(), now, 20, failed=20, source=source)
    plain, with_tests = rule_of(alice), rule_of(alice, counts_tests=True)

    for rule in (plain, with_tests):
        look_again(rule, now + timedelta(seconds=1))

    assert [alert.rule for alert in Alert.objects.all()] == [with_tests]


def test_a_run_without_a_source_and_an_archived_agent(make_session: MakeSession, alice: User, now: datetime) -> None:
    """A process of the release before stores none, and that is manual; who is archived is looked at no more."""
    session, archived = make_session(), make_session()
    runs_at(session, now, 20, failed=4, source=None)
    runs_at(archived, now, 20, failed=4)
    type(archived.agent).objects.filter(pk=archived.agent_id).update(removed_at=now)
    rule = rule_of(alice)

    look_again(rule, now + timedelta(seconds=1))

    assert [alert.agent for alert in Alert.objects.all()] == [session.agent]


def test_a_run_counts_when_it_ends_however_long_it_took(make_session: MakeSession, alice: User, now: datetime) -> None:
    rule = rule_of(alice, metric="total_p50", alert=60_000)
    runs_at(make_session(), now, 20, ttft_ms=20 * 60_000)

    look_again(rule, now + timedelta(seconds=1))

    alert = Alert.objects.get()
    assert alert.value is not None and alert.value > 20 * 60_000
    assert alert.since_at < now - timedelta(minutes=20)  # the list of runs has to begin there


def test_a_rule_is_looked_at_ten_times_in_its_window_within_bounds(alice: User, now: datetime) -> None:
    for window_s, seconds in ((60, 30), (300, 30), (3600, 360), (604_800, 900)):
        assert every(rule_of(alice, window_s=window_s)) == timedelta(seconds=seconds)
    assert every(rule_of(alice, is_change=True, metric="ttft_p50")) == timedelta(minutes=10)
    AlertRule.objects.update(next_at=now)
    assert evaluate_due(now) == AlertRule.objects.filter(is_enabled=True).count()
    assert due_rules(now) == []


def test_a_rule_that_is_off_or_not_due_is_not_looked_at(make_session: MakeSession, alice: User, now: datetime) -> None:
    runs_at(make_session(), now, 20, failed=4)
    off, later = rule_of(alice, is_enabled=False), rule_of(alice)
    AlertRule.objects.filter(pk=later.pk).update(next_at=now + timedelta(hours=1))

    assert not evaluate_rule(off.pk, now) and not evaluate_rule(later.pk, now)
    assert not Alert.objects.exists()


def test_a_rule_that_cannot_be_looked_at_says_so_and_keeps_no_other_from_it(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    runs_at(make_session(), now, 20, failed=4)
    broken, sound = rule_of(alice), rule_of(alice)
    AlertRule.objects.filter(owner=None).update(is_enabled=False)
    AlertRule.objects.filter(pk=broken.pk).update(metric="no_such_metric", next_at=now)
    AlertRule.objects.filter(pk=sound.pk).update(next_at=now)

    assert evaluate_due(now + timedelta(seconds=1)) == 1

    broken.refresh_from_db()
    assert broken.error_message == "KeyError: 'no_such_metric'"
    assert broken.next_at > now
    assert [alert.rule for alert in Alert.objects.all()] == [sound]


def slower(make_session: MakeSession, now: datetime, factor: float, count: int = 80) -> Session:
    """An agent whose version 4 came two days ago and is slower by a factor; forty runs a day."""
    session = make_session()
    day = timedelta(minutes=36)
    for number, (version, until, ms) in enumerate(
        (("3", now - timedelta(days=2, hours=1), 500.0), ("4", now, 500.0 * factor))
    ):
        for run in range(8):
            runs_at(
                session, until - timedelta(hours=6 * (7 - run)), count // 8, version=version, kind="reused",
                ttft_ms=ms * (1 + run / 20), every=day / 10 + timedelta(seconds=number),
            )  # fmt: skip
    return session


def test_a_version_that_is_slower_than_the_one_before_alerts_once_for_good(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    session = slower(make_session, now, 1.3)
    rule = rule_of(alice, metric="ttft_p50", is_change=True, warning=0.1, alert=0.5)

    look_again(rule, now + timedelta(seconds=1))
    alert = Alert.objects.get()
    assert (alert.state, alert.level, alert.version, alert.before_version) == ("firing", "warning", "4", "3")
    assert alert.value == pytest.approx(0.3, abs=0.05)

    services.resolve(alert=alert, by=alice)
    runs_at(session, now + timedelta(minutes=1), 1, version="4")
    look_again(rule, now + timedelta(minutes=10))
    assert Alert.objects.count() == 1

    runs_at(session, now + timedelta(minutes=20), 30, version="5")
    look_again(rule, now + timedelta(minutes=21))
    assert Alert.objects.count() == 1


def test_the_next_version_ends_what_the_one_before_has_changed(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    session = slower(make_session, now, 1.6)
    rule = rule_of(alice, metric="ttft_p50", is_change=True, warning=0.1, alert=0.5)
    look_again(rule, now + timedelta(seconds=1))
    runs_at(session, now + timedelta(minutes=1), 1, version="5")

    look_again(rule, now + timedelta(minutes=10))

    alert = Alert.objects.get()
    assert (alert.level, history(alert)) == ("alert", ["firing", "resolved"])
    assert alert.changes.get(number=2).note == "Version 5 came."


def test_an_unchanged_version_and_one_alone_say_nothing(make_session: MakeSession, alice: User, now: datetime) -> None:
    slower(make_session, now, 1.0)
    runs_at(make_session(), now, 50, version="1")
    rule = rule_of(alice, metric="ttft_p50", is_change=True, warning=0.1, alert=None)

    assert look_again(rule, now + timedelta(seconds=1))

    assert not Alert.objects.exists()


def test_the_rules_that_come_with_loom_are_nobodys_and_one_is_off() -> None:
    """S1-065"""
    found = {rule.metric: rule for rule in AlertRule.objects.filter(owner=None, is_change=False)}

    assert {key: (rule.alert, rule.window_s, rule.is_enabled) for key, rule in found.items()} == {
        "error_rate": (0.05, 300, True), "timeout_rate": (0.01, 300, True), "broken_rate": (0.10, 300, True),
        "total_p50": (5000.0, 300, False),
    }  # fmt: skip
    assert AlertRule.objects.filter(owner=None, is_change=True, is_enabled=True).count() == 2


def test_what_a_person_does_is_a_change_of_its_own(make_session: MakeSession, alice: User, now: datetime) -> None:
    runs_at(make_session(), now, 20, failed=4)
    rule = rule_of(alice)
    look_again(rule, now + timedelta(seconds=1))
    alert = Alert.objects.get()

    services.acknowledge(alert=alert, by=alice, note="On it")
    services.snooze(alert=alert, by=alice, until=timezone.now() + timedelta(hours=1))
    services.resolve(alert=alert, by=alice)

    assert history(alert) == ["pending", "acknowledged", "snoozed", "resolved"]
    assert list(alert.changes.values_list("by", "note"))[1] == (alice.pk, "On it")
    for act in (services.acknowledge, services.resolve):
        with pytest.raises(ConflictError, match="resolved by now"):
            act(alert=alert, by=alice)


def test_a_rule_that_is_changed_into_another_ends_what_is_open(
    make_session: MakeSession, alice: User, now: datetime
) -> None:
    runs_at(make_session(), now, 20, failed=4)
    rule = rule_of(alice, name="Errors")
    look_again(rule, now + timedelta(seconds=1))

    services.change_rule(rule=rule, data=services.RuleData(name="Errors", metric="error_rate", alert=0.9, min_n=10))
    assert Alert.objects.get().is_open  # a look decides
    services.change_rule(rule=rule, data=services.RuleData(name="Errors", metric="timeout_rate", alert=0.1, min_n=10))

    alert = Alert.objects.get()
    assert history(alert) == ["pending", "resolved"]
    assert alert.changes.get(number=2).note == "The rule was changed."


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_write_each_change_once(make_session: MakeSession, alice: User, now: datetime) -> None:
    channel, _key = make_channel(owner=alice, name="Mail", kind="email", address="ops@example.com")
    rule = rule_of(alice, channels=[channel])
    runs_at(make_session(), now, 20, failed=4)

    for second in (1, 2, 3):
        AlertRule.objects.filter(pk=rule.pk).update(next_at=now)
        barrier = Barrier(4)

        def worker(at: datetime = now + timedelta(seconds=second), barrier: Barrier = barrier) -> None:
            barrier.wait()
            try:
                evaluate_rule(rule.pk, at)
            finally:
                connection.close()

        threads = [Thread(target=worker) for _number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert history(Alert.objects.get()) == ["pending", "firing"]
    assert AlertNotice.objects.count() == 1
