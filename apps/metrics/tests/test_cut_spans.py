"""Readings of spans that end before all lines were seen, and the notice by which an open timeline hears of spans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.models import Notice
from apps.metrics.models import AgentTrace
from apps.metrics.startup import ALL_TRIES
from apps.metrics.tests.cloudwatch import CloudWatch
from apps.metrics.tests.conftest import LogsOf
from apps.metrics.tests.runs import at, make_measured, make_run
from apps.metrics.tests.test_traces import GROUP, TRACE, header, make_trace, span_line
from apps.metrics.traces.fetching import fetch
from apps.metrics.traces.reading import MAX_PAGES
from apps.sessions.models import Invocation, Session

pytestmark = pytest.mark.django_db
MakeSession = Callable[..., Session]
OTHER = TRACE[::-1]


def told(client: Client, run: Invocation) -> tuple[Any, str]:
    client.force_login(run.session.owner)
    body = client.get(f"/api/runs/{run.pk}/timeline").json()["agent_spans"]
    page = client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()
    return body, page


def test_what_is_too_much_even_for_itself_is_marked_and_not_asked_for_again(
    client: Client, make_session: MakeSession, logs_of: LogsOf
) -> None:
    run = make_run(make_session())
    trace = make_trace(run)
    cloudwatch = CloudWatch(page_size=1)
    for number in range(1, MAX_PAGES + 3):
        cloudwatch.write(GROUP, "default", at(2), span_line(number, 1, 2))
    logs = logs_of(cloudwatch)
    fetch(now=at(60), logs=logs)
    trace.refresh_from_db()
    assert (trace.state, len(trace.spans), trace.is_cut) == ("found", MAX_PAGES, True)
    assert trace.next_at is not None
    fetch(now=at(300), logs=logs)
    fetch(now=at(600), logs=logs)

    assert len(cloudwatch.filters()) == 2 * MAX_PAGES
    ended = AgentTrace.objects.get()
    assert (ended.next_at, ended.tries, ended.is_cut) == (None, 2, True)
    body, page = told(client, run)
    assert (body["is_cut"], body["is_looked_for"], len(body["spans"])) == (True, False, MAX_PAGES)
    assert "some of its spans may be missing" in page


def test_what_was_cut_with_others_is_read_by_itself_the_next_time(
    client: Client, make_session: MakeSession, logs_of: LogsOf
) -> None:
    session = make_session()
    one, two = make_run(session), make_run(session, 10)
    traces = [make_trace(one), make_trace(two, OTHER)]
    cloudwatch = CloudWatch(page_size=1)
    for number in range(1, 5):
        cloudwatch.write(GROUP, "default", at(2), span_line(number, 1, 2))
    for number in range(5, 9):
        cloudwatch.write(GROUP, "default", at(12), span_line(number, 11, 12, trace_id=OTHER))
    logs = logs_of(cloudwatch)
    fetch(now=at(60), logs=logs)
    assert [(trace.is_cut, len(trace.spans)) for trace in AgentTrace.objects.order_by("pk")] == [(True, 4), (True, 1)]
    for number in range(ALL_TRIES):
        fetch(now=at(300 + 60 * number), logs=logs)

    for trace in traces:
        trace.refresh_from_db()
        assert (trace.state, trace.is_cut, len(trace.spans), trace.next_at) == ("found", False, 4, None)
    # Of the first, all had come already: one more look at it, and two at the other.
    assert len(cloudwatch.filters()) == MAX_PAGES + 4 + 2 * 4
    patterns = [call["filterPattern"] for call in cloudwatch.filters()]
    assert f'?"{TRACE}"' in patterns and f'?"{OTHER}"' in patterns
    body, page = told(client, two)
    assert not body["is_cut"] and "may be missing" not in page


def test_a_trace_that_a_cut_reading_did_not_reach_is_not_said_to_have_never_come(
    client: Client, make_session: MakeSession, logs_of: LogsOf
) -> None:
    run = make_run(make_session())
    trace = make_trace(run)
    cloudwatch = CloudWatch(page_size=1)
    cloudwatch.before = lambda operation, parameters: parameters.pop("filterPattern", None)
    for _ in range(MAX_PAGES + 1):
        cloudwatch.write(GROUP, "default", at(2), "of somebody else")
    logs = logs_of(cloudwatch)
    for number in range(ALL_TRIES + 1):
        fetch(now=at(10_000 * number + 60), logs=logs)

    trace.refresh_from_db()
    assert (trace.state, trace.is_cut, trace.next_at) == ("not_found", True, None)
    assert "Transaction Search" not in told(client, run)[1]


def test_each_look_for_spans_is_told_to_those_who_follow_the_session(
    make_session: MakeSession, logs_of: LogsOf
) -> None:
    run = make_run(make_session())
    make_trace(run)
    cloudwatch = CloudWatch()
    cloudwatch.write(GROUP, "default", at(2), span_line(1, 1, 2))
    logs = logs_of(cloudwatch)
    fetch(now=at(60), logs=logs)
    fetch(now=at(300), logs=logs)
    fetch(now=at(600), logs=logs)
    notices = Notice.objects.filter(topic=run.session.topic, kind="spans")
    assert notices.count() == 2  # found, and settled; then nobody looks any more


@pytest.mark.parametrize(
    ("changes", "may_change"),
    [
        ({}, True),
        ({"trace_id": ""}, False),
        ({"completed_at": at(3)}, False),
        ({"status": "streaming", "completed_at": None}, True),
    ],
)
def test_a_timeline_listens_as_long_as_more_of_it_may_come(
    client: Client, make_session: MakeSession, changes: dict[str, Any], may_change: bool
) -> None:
    now = timezone.now()
    fields = {"trace_id": header(), "completed_at": now, **changes}
    run = make_run(make_session(), **fields)
    if run.completed_at is not None:
        make_measured(run, 500)  # its start is looked for no more
    client.force_login(run.session.owner)
    address = reverse("sessions:timeline", args=[run.session.public_id, run.number])
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert ("loom:spans from:closest" in part) == may_change
    assert "loom:spans" not in client.get(address).content.decode()  # a page of its own hears nothing
