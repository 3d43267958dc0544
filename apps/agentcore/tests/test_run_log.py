"""The log of a run beside its conversation: what it shows, how it is followed, and where an error leads."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.logs.beside import PAUSES_S
from apps.agentcore.tests.test_log_lines import finished_run
from apps.agentcore.tests.test_log_views import logged, texts, write
from apps.agents.models import Agent
from apps.aws.clients import client as aws_client
from apps.sessions.models import Invocation, Session

__all__ = ["logged"]  # a fixture

MakeSession = Callable[..., Session]
LONG_AGO = timedelta(hours=1)


def ask(client: Client, session: Session, query: str = "") -> HttpResponse:
    address = reverse("sessions:run-log-fragment", args=[session.public_id])
    headers = {"HX-Request": "true", "HX-Target": f"run-lines-{session.pk}"}
    answer: Any = client.get(f"{address}?{query.rpartition('?')[2]}", headers=headers)
    return answer  # type: ignore[no-any-return]


def body(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


def following(answer: HttpResponse) -> tuple[str, int | None]:
    """With what the fold asks again, and after how many seconds; None where only a next run matters."""
    [element] = re.findall(r'<div hidden id="run-following-\d+"([^>]*)>', body(answer))
    again = re.search(r'hx-get="([^"]*)" hx-trigger="(?:every (\d+)s)?', element)
    if again is None:
        return "", None
    return html.unescape(again[1]), int(again[2]) if again[2] else None


@pytest.fixture
def run(logged: Session, client: Client, alice: User) -> Invocation:
    """A run that goes on, of the one who is signed in."""
    client.force_login(alice)
    return finished_run(logged, status="streaming", completed_at=None, error_message="", error_code="")


def test_closed_it_costs_the_page_nothing_and_without_scripts_it_leads_to_the_log(
    client: Client, run: Invocation
) -> None:
    page = client.get(run.session.get_absolute_url()).content.decode()

    assert f'hx-get="/sessions/{run.session.public_id}/logs/run/" hx-trigger="toggle from:closest details once"' in page
    assert "log-list" not in page and "logs.js" not in page and "logs.css" not in page
    assert f'<p><a class="link" href="/sessions/{run.session.public_id}/logs/">Log page</a></p>' in page


def test_opened_it_comes_at_once_and_asks_for_its_lines(client: Client, run: Invocation) -> None:
    address = reverse("sessions:run-log-fragment", args=[run.session.public_id])
    fold = client.get(address, {"run": "1", "find": "on"}, headers={"HX-Request": "true", "HX-Target": "run-log"})

    assert '<details class="tool run-log" open>' in body(fold) and "invocation 1" in body(fold)
    lines = f"#run-lines-{run.session_id}"  # several sessions may stand on one page
    assert f'hx-get="{address}?run=1&amp;find=on" hx-trigger="load" hx-target="{lines}"' in body(fold)
    assert "log-list" not in body(fold)


def test_lines_have_level_words_milliseconds_and_places_to_go(client: Client, run: Invocation) -> None:
    write(run.session, "INFO one", "ERROR <b>two</b>", "three")
    answer = ask(client, run.session)

    assert texts(body(answer)) == ["INFO one", "ERROR &lt;b&gt;two&lt;/b&gt;", "three"]
    assert re.findall(r'class="log-level">(.*?)<', body(answer)) == ["INFO", "ERROR", "·"]
    assert len(re.findall(r"data-precise>\d\d:\d\d:\d\d\.\d{3}</time>", body(answer))) == 3
    assert f'href="/sessions/{run.session.public_id}/logs/?run=1"' in body(answer)
    assert "data-copy-lines" in body(answer) and "data-newest" in body(answer) and "data-jump" not in body(answer)


def test_it_is_followed_more_and_more_seldom_and_at_once_again_when_something_comes(
    client: Client, run: Invocation
) -> None:
    write(run.session, "INFO one")
    query, pause_s = following(ask(client, run.session))
    pauses = [pause_s]
    for _ in range(len(PAUSES_S) + 1):
        answer = ask(client, run.session, query)
        assert answer["HX-Retarget"] == f"#run-following-{run.session_id}" and "log-list" not in body(answer)
        query, pause_s = following(answer)
        pauses.append(pause_s)
    assert pauses == [*PAUSES_S, PAUSES_S[-1], PAUSES_S[-1]]

    write(run.session, "INFO two")
    answer = ask(client, run.session, query)
    assert "HX-Retarget" not in answer and sorted(texts(body(answer))) == ["INFO one", "INFO two"]
    assert following(answer)[1] == PAUSES_S[0]


def test_it_stops_when_the_run_is_over_and_so_is_the_delay_of_cloudwatch(client: Client, run: Invocation) -> None:
    write(run.session, "INFO one")
    query, _ = following(ask(client, run.session))
    now = timezone.now()
    runs = Invocation.objects.filter(pk=run.pk)
    runs.update(status="completed", completed_at=now)
    query, pause_s = following(ask(client, run.session, query))
    assert pause_s == PAUSES_S[0]  # its last lines may still come

    runs.update(completed_at=now - LONG_AGO, invoked_at=now - LONG_AGO)
    query, pause_s = following(ask(client, run.session, query))
    assert (query.rpartition("?")[2].startswith("seen="), pause_s) == (True, None)
    finished_run(run.session, status="streaming", completed_at=None)  # a next one, which is followed
    assert following(ask(client, run.session, query))[1] == PAUSES_S[0]
    # Who chose a run stays with it.
    assert following(ask(client, run.session, "run=1")) == ("", None)


def test_what_is_shown_stays_while_cloudwatch_does_not_answer(
    client: Client, run: Invocation, order_fault: Callable[..., None]
) -> None:
    write(run.session, "INFO one")
    query, _ = following(ask(client, run.session))
    order_fault(kind="error", operation="FilterLogEvents", code="ThrottlingException", count=9)
    answer = ask(client, run.session, query)

    again, pause_s = following(answer)
    assert answer["HX-Retarget"] == f"#run-following-{run.session_id}" and pause_s == PAUSES_S[1]
    assert re.findall("seen=[^&]*", again) == re.findall("seen=[^&]*", query)


def test_a_refusal_is_told_with_what_to_do(client: Client, run: Invocation, order_fault: Callable[..., None]) -> None:
    order_fault(kind="error", operation="FilterLogEvents", code="AccessDeniedException", count=9)
    answer = ask(client, run.session)

    assert 'role="alert"' in body(answer) and "logs:FilterLogEvents" in body(answer)
    assert f'href="/sessions/{run.session.public_id}/logs/doctor/?run=1"' in body(answer)


@pytest.mark.parametrize(
    ("fields", "said", "leads_on"),
    [
        ({"status": "queued", "invoked_at": None}, "Not sent yet", False),
        ({"status": "streaming"}, "No lines yet", False),
        ({"status": "failed", "http_status": 403}, "never reached the agent", False),
        ({"status": "completed", "completed_at": -LONG_AGO, "invoked_at": -LONG_AGO}, "No lines were found", True),
    ],
)
def test_without_lines_it_says_why(
    client: Client, run: Invocation, fields: dict[str, Any], said: str, leads_on: bool
) -> None:
    now = timezone.now()
    changed = {name: now + value if isinstance(value, timedelta) else value for name, value in fields.items()}
    Invocation.objects.filter(pk=run.pk).update(**changed)
    page = body(ask(client, run.session))

    assert said in page and "log-list" not in page
    assert ("/logs/doctor/?run=1" in page) == leads_on


def test_nothing_was_sent_yet(client: Client, logged: Session, alice: User) -> None:
    client.force_login(alice)
    assert "Nothing was sent yet" in body(ask(client, logged))


@pytest.mark.parametrize(
    ("request_id", "said"),
    [("0b9d6a52-7d1c-4f0e-9a34", "names this run’s AWS request id"), ("another-one", "the error nearest to its end")],
)
def test_an_error_leads_to_its_line_and_says_how_it_is_known(
    client: Client, run: Invocation, request_id: str, said: str
) -> None:
    fields = {
        "status": "failed",
        "completed_at": timezone.now(),
        "error_message": "It broke.",
        "request_id": request_id,
    }
    Invocation.objects.filter(pk=run.pk).update(**fields)
    write(run.session, "INFO a", "ERROR of 0b9d6a52-7d1c-4f0e-9a34", "INFO b")
    conversation = client.get(run.session.get_absolute_url()).content.decode()
    address = f"/sessions/{run.session.public_id}/logs/run/?run=1&amp;find=on"
    assert f'hx-get="{address}" hx-target="next .run-log" hx-swap="outerHTML"' in conversation

    answer = ask(client, run.session, "run=1&find=on")
    assert said in body(answer) and "data-jump" in body(answer)
    assert re.findall(r'<li class="([^"]*)" id="marked"', body(answer)) == ["log-line log-bad is-marked"]
    # It is led to once: what comes later moves nothing.
    query, _ = following(answer)
    assert "find" not in query
    write(run.session, "INFO c")
    assert "data-jump" not in body(ask(client, run.session, query))


def test_where_no_line_matches_it_says_so_and_goes_on_looking(client: Client, run: Invocation) -> None:
    ended_at = timezone.now()
    runs = Invocation.objects.filter(pk=run.pk)
    runs.update(status="failed", completed_at=ended_at, error_message="It broke.", request_id="not-in-any-line")
    write(run.session, "INFO a")
    answer = ask(client, run.session, "run=1&find=on")
    assert "No line tells of this error yet" in body(answer) and "data-jump" in body(answer)

    query, _ = following(answer)
    write(run.session, "ERROR late")
    found = ask(client, run.session, query)
    assert "data-jump" in body(found) and 'id="marked"' in body(found)

    runs.update(request_id="x", completed_at=ended_at - LONG_AGO, invoked_at=ended_at - LONG_AGO)
    over = body(ask(client, run.session, "run=1&find=on"))
    assert "No line tells of this error: none names" in over and "/logs/doctor/?run=1" in over


def test_many_lines_are_bounded_and_the_rest_is_on_the_log_page(client: Client, run: Invocation) -> None:
    write(run.session, *(f"INFO {number}" for number in range(450)))
    page = body(ask(client, run.session))

    assert len(texts(page)) == 200 and texts(page)[-1] == "INFO 449"
    assert "Only the newest lines." in page and "More on the log page" in page


def test_a_trace_that_was_printed_is_one_block(client: Client, run: Invocation) -> None:
    write(run.session, "INFO a", "Traceback (most recent call last):", '  File "main.py", line 7', "KeyError: 'night'")
    page = body(ask(client, run.session))

    assert texts(page) == ["INFO a", "Traceback (most recent call last):"]
    trace = "Traceback (most recent call last):\n  File &quot;main.py&quot;, line 7\nKeyError: &#x27;night&#x27;"
    assert f'aria-label="line">{trace}</pre>' in page and "log-bad" in page


def test_a_stranger_is_told_nothing(client: Client, run: Invocation, bob: User) -> None:
    client.force_login(bob)
    assert ask(client, run.session).status_code == 404


@pytest.mark.parametrize(
    "query", ["run=99", "run=0", "run=x", f"run={'9' * 40}", "seen=" + "x" * 500, "idle=-1", "find=%00"]
)
def test_absurd_questions_get_the_newest_run(client: Client, run: Invocation, query: str) -> None:
    write(run.session, "INFO one")
    assert texts(body(ask(client, run.session, query))) == ["INFO one"]


def test_on_aws_group_and_trace_lead_to_the_console(client: Client, run: Invocation) -> None:
    Invocation.objects.filter(pk=run.pk).update(trace_id="Root=1-5759e988-bd862e3fe1be46a994272793")
    assert "console.aws" not in body(ask(client, run.session))

    Agent.objects.filter(pk=run.session.agent_id).update(origin="aws")
    page = body(ask(client, run.session))
    assert "#logsV2:log-groups/log-group/$252Faws$252Fbedrock-agentcore" in page
    assert "#xray:traces/1-5759e988-bd862e3fe1be46a994272793" in page
    # The page of an agent on AWS is there in that mode only.
    agent = Agent.objects.select_related("runtime").get(pk=run.session.agent_id)
    facts = render_to_string("agents/_facts.html", {"agent": agent})
    assert (
        f"us-east-1.console.aws.amazon.com/bedrock-agentcore/agents/{agent.runtime.runtime_id}?region=us-east-1"
        in facts
    )
    agent.origin = "emulator"
    assert "console.aws" not in render_to_string("agents/_facts.html", {"agent": agent})


def test_an_endpoint_has_its_own_group(client: Client, run: Invocation) -> None:
    Session.objects.filter(pk=run.session_id).update(qualifier="prod")
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    logs.create_log_group(logGroupName=f"/aws/bedrock-agentcore/runtimes/{run.session.agent.runtime.runtime_id}-prod")
    write(run.session, "INFO at prod", qualifier="prod")
    page = body(ask(client, run.session))

    assert texts(page) == ["INFO at prod"]
    assert f"{run.session.agent.runtime.runtime_id}-prod" in page
    facts = client.get(run.session.get_absolute_url()).content.decode()
    assert f"{run.session.agent.runtime.runtime_id}-prod" in facts
