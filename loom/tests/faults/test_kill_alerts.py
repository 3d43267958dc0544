"""A worker that is killed while it writes what a rule found, and one that is killed while it tells somebody."""

from __future__ import annotations

import ipaddress
import json
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.aws.tests.loopback import Exchange, loopback
from apps.metrics.alerts.evaluating import due_rules, evaluate_rule
from apps.metrics.alerts.services import try_channels as tell_channels
from apps.metrics.alerts.telling.channels import make_channel
from apps.metrics.alerts.telling.delivering import LEASE, deliver
from apps.metrics.models import Alert, AlertChange, AlertNotice, AlertRule
from apps.metrics.tests.alerting import look_again, rule_of, runs_at
from apps.sessions.models import Session
from loom.tests.running import Running, wait_until
from loom.tests.this_database import url_of_this_database

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes through /proc"),
    pytest.mark.django_db(transaction=True),
]
BEGIN = """
import os, signal
os.environ["DJANGO_SETTINGS_MODULE"] = "loom.settings"
import django
django.setup()
from django.db import connection
from django.utils import timezone
def dying(execute, sql, params, many, context):
    if sql.startswith("INSERT") and "metrics_alertnotice" in sql:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)
"""
EVALUATE = """
from apps.metrics.alerts.evaluating import evaluate_rule
with connection.execute_wrapper(dying):
    evaluate_rule({key}, timezone.now())
"""
DELIVER = """
from apps.metrics.alerts.telling.delivering import deliver
deliver({key}, timezone.now())
"""


def process(code: str, key: int) -> Running:
    environment = {"DATABASE_URL": url_of_this_database(), "ALLOWED_NETWORKS": "127.0.0.0/8"}
    return Running("-c", BEGIN + code.format(key=key), environment=environment)


def test_a_worker_that_is_killed_while_it_writes_leaves_a_rule_that_is_still_due(
    make_session: Callable[..., Session], alice: User
) -> None:
    now = timezone.now()
    channel, _key = make_channel(owner=alice, name="Mail", kind="email", address="ops@example.com")
    rule = rule_of(alice, channels=[channel])
    runs_at(make_session(), now, 20, failed=4)
    look_again(rule, now + timedelta(seconds=1))
    AlertRule.objects.filter(pk=rule.pk).update(next_at=now)

    with process(EVALUATE, rule.pk) as worker:
        assert worker.wait_for_end() == -9

    alert = Alert.objects.get()
    assert (alert.state, AlertChange.objects.count()) == ("pending", 1)  # nothing of what it had written
    assert rule.pk in due_rules(timezone.now())
    evaluate_rule(rule.pk, timezone.now())
    evaluate_rule(rule.pk, timezone.now())
    assert list(alert.changes.values_list("number", "state")) == [(1, "pending"), (2, "firing")]
    assert AlertNotice.objects.count() == 1


def test_a_worker_that_is_killed_while_it_tells_leaves_a_notice_that_comes_again_with_its_number(
    alice: User, settings: Any
) -> None:
    settings.ALLOWED_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    is_killed = threading.Event()
    heard: list[dict[str, Any]] = []

    def sink(exchange: Exchange) -> None:
        heard.append(json.loads(exchange.request.body))
        if exchange.number == 1:
            is_killed.wait(20)
        exchange.reply(200)

    with loopback(sink) as hook:
        channel, _key = make_channel(owner=alice, name="Hook", kind="webhook", address=hook.url)
        [notice] = tell_channels(rule=rule_of(alice, channels=[channel]))
        with process(DELIVER, notice.pk):
            wait_until(lambda: bool(heard), "it is telling")
        # Leaving the block killed it, with no time to say anything.
        is_killed.set()
        notice.refresh_from_db()
        assert (notice.state, notice.tries) == ("waiting", 1)

        assert not deliver(notice.pk, timezone.now())  # the lease holds
        assert deliver(notice.pk, timezone.now() + LEASE)

    notice.refresh_from_db()
    assert (notice.state, notice.tries) == ("sent", 2)
    assert [body["delivery"] for body in heard] == [notice.pk, notice.pk]
