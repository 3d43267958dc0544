"""The spans of agents: fetched from the emulator's CloudWatch by trace, and what is done where there are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agents.models import Agent
from apps.aws.logs.reading import RuntimeLogs
from apps.metrics.models import AgentTrace
from apps.metrics.startup import ALL_TRIES, MAX_TRIES
from apps.metrics.tests.cloudwatch import CloudWatch
from apps.metrics.tests.conftest import LogsOf
from apps.metrics.tests.runs import NOON, at, invoke, make_run
from apps.metrics.traces.fetching import create_missing_traces, fetch, remove_expired_traces
from apps.metrics.traces.keeping import MOST_SPANS
from apps.metrics.traces.reading import IDS_AT_ONCE
from apps.metrics.traces.tasks import enqueue_due_fetch, fetch_spans
from apps.sessions.models import Invocation, Session
from apps.sessions.services import start_session

pytestmark = pytest.mark.django_db

MakeSession = Callable[..., Session]
TRACE = "5759e988bd862e3fe1be46a994272793"
GROUP = "aws/spans"


def header(trace_id: str = TRACE) -> str:
    return f"Root=1-{trace_id[:8]}-{trace_id[8:]};Sampled=1"


def own_group(run: Invocation) -> str:
    return str(run.session.agent.runtime.parsed_arn.log_group(run.session.qualifier))


def make_trace(run: Invocation, trace_id: str = TRACE) -> AgentTrace:
    """The trace of a run, to be looked for at noon."""
    return AgentTrace.objects.create(invocation=run, trace_id=trace_id, next_at=NOON)


def span_line(number: int, start_s: float, end_s: float, *, trace_id: str = TRACE, parent: int = 0, **more: Any) -> str:
    epoch_s = int(NOON.timestamp())
    span = {
        "traceId": trace_id, "spanId": f"{number:016x}", "name": f"span {number}",
        "startTimeUnixNano": epoch_s * 10**9 + round(start_s * 1000) * 10**6,
        "endTimeUnixNano": epoch_s * 10**9 + round(end_s * 1000) * 10**6,
    }  # fmt: skip
    return json.dumps(span | ({"parentSpanId": f"{parent:016x}"} if parent else {}) | more)


def names(trace: AgentTrace) -> list[str]:
    trace.refresh_from_db()
    return [span["name"] for span in trace.spans]


def test_the_spans_of_a_run_stand_in_its_timeline_as_the_agent_told_them(
    client: Client, demo_agent: Callable[[str], Agent], alice: User
) -> None:
    """Over HTTP from the emulator's CloudWatch, through the tasks of the worker."""
    run = invoke(start_session(agent=demo_agent("inventory_analyst"), owner=alice))
    other = invoke(start_session(agent=demo_agent("travel_concierge"), owner=alice))
    now = timezone.now()
    assert create_missing_traces(now) == 2
    assert create_missing_traces(now) == 0
    for number in range(MAX_TRIES):
        fetch(now=now + timedelta(seconds=30 * number), logs=RuntimeLogs(current_connection()))

    trace = AgentTrace.objects.get(invocation=run)
    assert (trace.state, trace.next_at, trace.log_group) == ("found", None, GROUP)
    assert trace.tries < MAX_TRIES
    assert "screws" not in json.dumps(trace.spans)
    client.force_login(alice)
    body = client.get(f"/api/runs/{run.pk}/timeline").json()
    told = body["agent_spans"]
    assert [(span["name"], span["kind"], span["depth"]) for span in told["spans"]] == [
        ("POST /invocations", "other", 0), ("invoke_agent inventory_analyst", "agent", 1),
        ("execute_event_loop_cycle", "cycle", 2), ("chat", "model", 3), ("execute_tool query_stock", "tool", 3),
        ("execute_event_loop_cycle", "cycle", 2), ("chat", "model", 3), ("execute_tool list_deliveries", "tool", 3),
        ("execute_event_loop_cycle", "cycle", 2), ("chat", "model", 3),
    ]  # fmt: skip
    first = told["spans"][0]
    assert told["low_ms"] - 50 <= first["start_ms"] <= told["high_ms"] + 50
    assert first["end_ms"] == pytest.approx(body["wall_ms"], abs=500)
    assert sum(gap["end_ms"] - gap["start_ms"] for gap in body["gaps"]) == pytest.approx(body["wall_ms"], abs=1)
    others = client.get(f"/api/runs/{other.pk}/timeline").json()["agent_spans"]["spans"]
    assert [span["name"] for span in others] == ["POST /invocations", "invoke_agent travel_concierge", "chat"]
    page = client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()
    assert page.count("execute_tool query_stock") == 2  # a row, and a line of the table
    assert "told by the agent’s clock" in page


def test_where_an_account_keeps_no_spans_it_is_asked_a_few_times_and_the_page_says_so(
    client: Client, demo_agent: Callable[[str], Agent], alice: User, logs_of: LogsOf
) -> None:
    run = invoke(start_session(agent=demo_agent("sentiment_scorer"), owner=alice))
    now = timezone.now()
    create_missing_traces(now)
    cloudwatch = CloudWatch(error=("ResourceNotFoundException", "The specified log group does not exist."))
    logs = logs_of(cloudwatch)
    for number in range(MAX_TRIES):
        fetch(now=now + timedelta(seconds=30 * number), logs=logs)

    trace = AgentTrace.objects.get(invocation=run)
    assert (trace.state, trace.next_at, trace.tries) == ("not_found", None, 3)
    assert [call["logGroupName"] for call in cloudwatch.filters()] == [GROUP, own_group(run)] * 3
    client.force_login(alice)
    page = client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()
    assert "Transaction Search is off" in page


def test_a_refusal_ends_the_search_and_names_the_command_that_helps(
    client: Client, make_session: MakeSession, logs_of: LogsOf, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(make_session())
    trace = make_trace(run)
    logs = logs_of(CloudWatch(error=("AccessDeniedException", "User is not authorized")))
    for number in range(MAX_TRIES):
        fetch(now=at(30 * number), logs=logs)

    trace.refresh_from_db()
    assert (trace.state, trace.error_code, trace.tries) == ("failed", "AccessDeniedException", 3)
    assert [record.message.split(" http")[0] for record in caplog.records if "spans not read" in record.message] == [
        "spans not read log_group=aws/spans code=AccessDeniedException"
    ]
    client.force_login(run.session.owner)
    page = client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()
    assert "could not be read (AccessDeniedException); “check_aws” says what is missing" in page


def test_throttling_is_waited_out(make_session: MakeSession, logs_of: LogsOf) -> None:
    trace = make_trace(make_run(make_session()))
    cloudwatch = CloudWatch(error=("ThrottlingException", "Rate exceeded"))
    logs = logs_of(cloudwatch)
    fetch(now=at(60), logs=logs)
    cloudwatch.error = None
    cloudwatch.write(GROUP, "default", at(2), span_line(1, 1, 2))
    fetch(now=at(300), logs=logs)

    assert names(trace) == ["span 1"]
    assert trace.error_code == ""


def test_one_call_asks_for_the_traces_of_many_runs(make_session: MakeSession, logs_of: LogsOf) -> None:
    session = make_session()
    ids = [f"{number:032x}" for number in range(1, IDS_AT_ONCE + 2)]
    for number, trace_id in enumerate(ids):
        make_trace(make_run(session, number / 10, first_byte_s=0.01, ended_s=0.02), trace_id)
    cloudwatch = CloudWatch()
    for trace_id in ids:
        cloudwatch.write(GROUP, "default", at(2), span_line(1, 1, 2, trace_id=trace_id))
    assert fetch(now=at(600), logs=logs_of(cloudwatch)) == len(ids)

    patterns = [call["filterPattern"] for call in cloudwatch.filters()]
    assert [len(pattern.split()) for pattern in patterns] == [IDS_AT_ONCE, 1]
    assert patterns[0].startswith(f'?"{ids[0]}" ?"{ids[1]}"')
    assert max(map(len, patterns)) <= 1024
    assert AgentTrace.objects.filter(state="found").count() == len(ids)


def test_a_stream_of_the_runtime_s_own_group_is_read_where_the_account_s_has_nothing(
    make_session: MakeSession, logs_of: LogsOf
) -> None:
    run = make_run(make_session())
    trace = make_trace(run)
    cloudwatch = CloudWatch()
    cloudwatch.write(own_group(run), "spans", at(2), span_line(1, 1, 2))
    fetch(now=at(60), logs=logs_of(cloudwatch))

    assert names(trace) == ["span 1"]
    assert trace.log_group == own_group(run)
    assert cloudwatch.filters()[1]["logStreamNamePrefix"] == "spans"


def test_spans_that_come_later_are_added_and_then_nothing_is_asked_any_more(
    make_session: MakeSession, logs_of: LogsOf
) -> None:
    trace = make_trace(make_run(make_session()))
    cloudwatch = CloudWatch()
    logs = logs_of(cloudwatch)
    cloudwatch.write(GROUP, "default", at(2), span_line(2, 1, 2, parent=1))
    fetch(now=at(60), logs=logs)
    cloudwatch.write(GROUP, "default", at(3), span_line(1, 0.5, 3))
    for number in range(3, 8):
        fetch(now=at(30 * number), logs=logs)

    assert names(trace) == ["span 1", "span 2"]
    assert (trace.next_at, trace.tries) == (None, 3)


def test_damaged_lines_are_counted_and_what_is_too_much_is_left_out(
    client: Client, make_session: MakeSession, logs_of: LogsOf
) -> None:
    run = make_run(make_session())
    trace = make_trace(run)
    cloudwatch = CloudWatch()
    for number in range(1, MOST_SPANS + 6):
        cloudwatch.write(GROUP, "default", at(2), span_line(number, 1 + number / 1000, 2.5))
    cloudwatch.write(GROUP, "default", at(2), span_line(1, 1.001, 2.5))  # sent twice
    cloudwatch.write(GROUP, "default", at(2), span_line(999, 1, 2)[:-30])
    cloudwatch.write(GROUP, "default", at(2), f"trace {TRACE} is no span")
    fetch(now=at(60), logs=logs_of(cloudwatch))

    assert len(names(trace)) == MOST_SPANS
    assert (trace.damaged_count, trace.left_out_count) == (2, 5)
    client.force_login(run.session.owner)
    page = client.get(reverse("sessions:timeline", args=[run.session.public_id, run.number])).content.decode()
    assert "2 lines are no whole spans." in page and "5 more were not kept." in page


def test_the_ticker_hands_one_task_to_the_cluster(make_session: MakeSession) -> None:
    make_trace(make_run(make_session()))
    for _ in range(3):
        enqueue_due_fetch()

    assert [task.task["func"] for task in OrmQ.objects.all()] == [fetch_spans]


@pytest.mark.parametrize(
    "changes", [{"trace_id": ""}, {"trace_id": "no id"}, {"invoked_at": None}, {"content_removed_at": NOON}]
)
def test_a_run_without_a_trace_is_not_looked_for(make_session: MakeSession, changes: dict[str, Any]) -> None:
    make_run(make_session(), **{"trace_id": header(), "completed_at": timezone.now(), **changes})
    assert create_missing_traces(timezone.now()) == 0


def test_a_try_that_kills_its_worker_is_counted_and_the_search_ends(make_session: MakeSession, logs_of: LogsOf) -> None:
    trace = make_trace(make_run(make_session()))
    AgentTrace.objects.filter(pk=trace.pk).update(tries=ALL_TRIES)
    cloudwatch = CloudWatch()
    fetch(now=at(60), logs=logs_of(cloudwatch))

    trace.refresh_from_db()
    assert (trace.state, trace.next_at, cloudwatch.filters()) == ("not_found", None, [])


def test_spans_go_with_the_prompts_and_answers(make_session: MakeSession, settings: Any) -> None:
    settings.CONTENT_RETENTION_DAYS = 30
    make_trace(make_run(make_session()))
    assert remove_expired_traces(timezone.now() + timedelta(days=29)) == 0
    assert remove_expired_traces(timezone.now() + timedelta(days=31)) == 1
    assert not AgentTrace.objects.exists()
