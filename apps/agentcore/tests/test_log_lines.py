"""Lines that are read with their line breaks, that an error leads to, and that follow the conversation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.logs.pages import ShownLine, newest_first, shown_lines
from apps.agentcore.tests.test_log_views import AT, LINES, line, lines, logged, texts, write
from apps.sessions.models import Invocation, Session

__all__ = ["logged"]  # a fixture

MakeSession = Callable[..., Session]

TRACE = ["Traceback (most recent call last):\n", '  File "main.py", line 7, in invoke\n', "KeyError: 'night'\n"]


@pytest.mark.parametrize(
    ("message", "blocks"),
    [
        ({"message": "it broke", "stackTrace": TRACE}, [("stackTrace", "".join(TRACE).strip())]),
        ({"message": "it broke", "stackTrace": "".join(TRACE)}, [("stackTrace", "".join(TRACE).strip())]),
        ({"msg": "x", "err": {"type": "E", "stack": "E: x\n at f"}}, [("err.stack", "E: x\n at f")]),
        ({"message": "x", "error": {"stack_trace": "one line"}}, [("error.stack_trace", "one line")]),
        ({"body": "x", "attributes": {"exception.stacktrace": "a\nb"}}, [("attributes.exception.stacktrace", "a\nb")]),
        ({"event": "x", "exception": [{"file": "a.py", "line": 7, "name": "f"}]}, [("exception", "    at f (a.py:7)")]),
        ({"message": "first\nsecond", "n": 1}, [("message", "first\nsecond")]),
        ({"message": "x\n a\n b", "exc_info": "a\n b"}, [("exc_info", "a\n b"), ("message", "x\n a\n b")]),
        ({"text": "\u001b[31mred\u001b[0m\nnext"}, [("text", "red\nnext")]),
        ({"message": "one line", "list": ["a", "b"]}, []),
        ("first\n  second", [("line", "first\n  second")]),
        ("one line\n", []),
    ],
)  # fmt: skip
def test_what_has_several_lines_is_read_with_its_line_breaks(message: Any, blocks: list[tuple[str, str]]) -> None:
    shown = ShownLine(line(message if isinstance(message, str) else json.dumps(message)))

    assert [(block.name, block.text) for block in shown.blocks] == blocks
    assert "\n" not in shown.text


def test_a_stack_trace_stands_above_its_record_and_can_be_copied(client: Client, logged: Session, alice: User) -> None:
    write(logged, json.dumps({"level": "ERROR", "message": "it <b>broke</b>", "stackTrace": TRACE}))
    client.force_login(alice)
    page = lines(client, logged)

    trace = (
        "Traceback (most recent call last):\n  File &quot;main.py&quot;, line 7, in invoke\nKeyError: &#x27;night&#x27;"
    )
    assert f'aria-label="stackTrace">{trace}</pre>' in page
    assert f'data-copy="{trace}"' in page
    assert page.index('aria-label="stackTrace"') < page.index('aria-label="The whole record"')


def finished_run(session: Session, **overrides: Any) -> Invocation:
    now = timezone.now()
    fields = {
        "session": session, "number": session.invocations.count() + 1, "status": "failed", "prompt": "go",
        "requested_at": now, "invoked_at": now, "completed_at": now + timedelta(seconds=2), "http_status": 200,
        "error_message": "It broke.", "error_code": "agent_error",
    }  # fmt: skip
    return Invocation.objects.create(**{**fields, **overrides})


def test_an_error_leads_to_its_line(client: Client, logged: Session, alice: User) -> None:
    run = finished_run(logged)
    write(logged, "INFO begin", "ERROR the reason", "INFO end")
    write(logged, "ERROR of long before", hours_ago=1)
    client.force_login(alice)
    conversation = client.get(logged.get_absolute_url()).content.decode()
    address = f"{reverse('sessions:logs', args=[logged.public_id])}?run={run.number}"
    assert f'href="{address}"' in conversation

    page = client.get(address).content.decode()
    assert "Lines around invocation 1," in page and '<input type="hidden" name="run" value="1"' in page
    found = lines(client, logged, run="1")
    assert texts(found) == ["INFO begin", "ERROR the reason", "INFO end"]
    assert re.findall(r'<li class="([^"]*)" id="marked"', found) == ["log-line log-bad is-marked"]
    # A run that never reached the agent has no line; one that is not there is no run.
    finished_run(logged, http_status=403)
    assert "?run=2" not in client.get(logged.get_absolute_url()).content.decode()
    for number in ("99", "0", "x", "-1", "9" * 40):
        assert 'id="marked"' not in lines(client, logged, run=number)


@pytest.mark.parametrize(
    ("messages", "marked"),
    [
        (["ERROR a", "CRITICAL b"], 1),
        (["before", "Traceback (most recent call last):", "KeyError: 'x'"], 1),
        (["INFO a", "b"], None),
    ],
)
def test_the_line_that_tells_most_of_a_failure_is_marked(
    make_session: MakeSession, messages: list[str], marked: int | None
) -> None:
    run = finished_run(make_session(), completed_at=AT + timedelta(seconds=9))
    found = []
    for number, text in enumerate(messages):
        level = text.split()[0] if text.split()[0].isupper() else ""
        found.append(replace(line(text, level), at=AT + timedelta(seconds=number)))

    assert [shown.is_marked for shown in shown_lines(found, run)] == [number == marked for number in range(len(found))]
    assert not any(shown.is_marked for shown in shown_lines(found, None))


def test_the_newest_first_and_yet_a_traceback_reads_forwards() -> None:
    trace = [line(text) for text in ("Traceback", "  File", "KeyError")]
    later = replace(line("later"), at=AT + timedelta(seconds=1))
    assert newest_first([*trace, later]) == [later, *trace]


def test_lines_follow_the_conversation(client: Client, logged: Session, alice: User) -> None:
    """A tab asks every five seconds: for nothing while nothing happens, for the lines while a run goes on."""
    run = finished_run(logged, status="streaming", completed_at=None)
    write(logged, "INFO one")
    client.force_login(alice)

    def seen_in(page: str) -> str:
        found = re.search(r'hx-trigger="every 5s" hx-vals=\'{"seen": "([^"]+)"}\'', page)
        assert found is not None
        return found[1]

    def ask(seen: str) -> tuple[int, list[str], str]:
        response = client.get(reverse("sessions:logs", args=[logged.public_id]), {"seen": seen}, headers=LINES)
        page = response.content.decode()
        return response.status_code, texts(page), seen_in(page) if page else seen

    first = seen_in(lines(client, logged))
    assert ask(first)[0] == 204
    write(logged, "INFO two")
    status, found, second = ask(first)
    assert (status, sorted(found)) == (200, ["INFO one", "INFO two"])

    long_ago = timezone.now() - timedelta(hours=1)
    Invocation.objects.filter(pk=run.pk).update(status="completed", completed_at=long_ago)
    status, _, third = ask(second)  # how the run ended is seen once
    assert status == 200
    write(logged, "INFO of nobody's run")
    assert ask(third)[0] == 204
    finished_run(logged, status="streaming", completed_at=None)  # sent from elsewhere
    assert "INFO of nobody&#x27;s run" in ask(third)[1]


def test_what_is_shown_stays_while_cloudwatch_does_not_answer(
    client: Client, logged: Session, alice: User, settings: Any
) -> None:
    finished_run(logged, status="streaming", completed_at=None)
    client.force_login(alice)
    settings.EMULATOR_URL = "http://127.0.0.1:9"
    address = reverse("sessions:logs", args=[logged.public_id])

    assert client.get(address, {"seen": "1.streaming:abc"}, headers=LINES).status_code == 204
    assert client.get(address, headers=LINES).status_code == 200


def test_after_the_emulator_was_started_again_its_page_says_so(
    client: Client, emulator: Any, make_session: MakeSession, alice: User
) -> None:
    client.force_login(alice)
    page = lines(client, make_session())

    assert "keeps what agents write in its memory" in page and "execution role" not in page
