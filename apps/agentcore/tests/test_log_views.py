from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.logs.pages import ShownLine, as_text, keep_level, range_of
from apps.agentcore.logs.reading import LogLine
from apps.agents.models import Agent
from apps.aws.clients import client as aws_client
from apps.sessions.models import Session

MakeSession = Callable[..., Session]
LINES = {"HX-Request": "true", "HX-Target": "log-lines"}
AT = datetime(2026, 11, 20, 10, 0, 0, 123_000, tzinfo=UTC)
_numbers = itertools.count(1)


@pytest.fixture
def logged(emulator: Any, make_agent: Callable[..., Agent], make_session: MakeSession) -> Session:
    """A session of alice's, moments old, that nobody wrote lines of yet; its agent has a log group."""
    runtime_id = f"pages_{next(_numbers)}-LgPg000000"
    arn = f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}"
    session = make_session(agent=make_agent(runtime_id=runtime_id, arn=arn), title="Plan a trip")
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    logs.create_log_group(logGroupName=group_of(session))
    return session


def group_of(session: Session, qualifier: str = "DEFAULT") -> str:
    return f"/aws/bedrock-agentcore/runtimes/{session.agent.runtime.runtime_id}-{qualifier}"


def write(session: Session, *messages: str, qualifier: str = "DEFAULT", hours_ago: float = 0) -> str:
    """Write lines as the container of a session does; return the stream."""
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    now = timezone.now() - timedelta(hours=hours_ago)
    stream = f"{now:%Y/%m/%d}/[runtime-logs-{session.runtime_session_id}]0a1b2c3d-0000-4000-8000-{next(_numbers):012d}"
    logs.create_log_stream(logGroupName=group_of(session, qualifier), logStreamName=stream)
    events = [
        {"timestamp": int(now.timestamp() * 1000) + number, "message": text} for number, text in enumerate(messages)
    ]
    logs.put_log_events(logGroupName=group_of(session, qualifier), logStreamName=stream, logEvents=events)
    return stream


def lines(client: Client, session: Session, **query: str) -> str:
    return client.get(reverse("sessions:logs", args=[session.public_id]), query, headers=LINES).content.decode()


def texts(page: str) -> list[str]:
    """What the lines of the page say, from the top."""
    return re.findall(r'(?:class="log-text"|<summary)>(.*?)</', page)


def test_the_lines_of_a_session_show_their_text_level_record_and_place(
    client: Client, logged: Session, alice: User
) -> None:
    """S0-110."""
    record = json.dumps({"level": "ERROR", "logger": "app", "message": "no <b>seats</b> left", "seats": 0})
    stream = write(logged, "INFO agent booted", record, "\x1b[33mplain\x1b[0m words")
    client.force_login(alice)
    page = lines(client, logged)

    assert texts(page) == ["INFO agent booted", "no &lt;b&gt;seats&lt;/b&gt; left", "plain words"]
    assert re.findall(r'class="log-level">(.*?)<', page) == ["INFO", "ERROR", "·"]
    assert "&quot;seats&quot;: 0" in page and "<b>3</b> lines" in page
    assert group_of(logged) in page and stream in page
    assert len(re.findall(r"data-precise>\d\d:\d\d:\d\d\.\d{3}</time>", page)) == 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["DEBUG a", "INFO b", "WARNING c", "ERROR d", "e"]),
        ({"level": "INFO"}, ["INFO b", "WARNING c", "ERROR d"]),
        ({"level": "ERROR"}, ["ERROR d"]),
        ({"q": "warning"}, ["WARNING c"]),
        ({"order": "newest", "level": "WARNING"}, ["ERROR d", "WARNING c"]),
        ({"order": "x", "level": "x", "q": "\0"}, ["DEBUG a", "INFO b", "WARNING c", "ERROR d", "e"]),
        ({"q": "nothing of the kind"}, []),
    ],
)
def test_lines_are_searched_kept_by_level_and_ordered_by_the_address(
    client: Client, logged: Session, alice: User, query: dict[str, str], expected: list[str]
) -> None:
    write(logged, "DEBUG a", "INFO b", "WARNING c", "ERROR d", "e")
    client.force_login(alice)
    page = lines(client, logged, **query)

    assert texts(page) == expected
    assert ("No line matches" in page) == (not expected)


def test_the_page_comes_at_once_and_asks_for_its_lines(client: Client, logged: Session, alice: User) -> None:
    client.force_login(alice)
    page = client.get(reverse("sessions:logs", args=[logged.public_id]), {"q": "x"}).content.decode()

    assert f'hx-get="/sessions/{logged.public_id}/logs/?q=x" hx-trigger="load"' in page and "log-list" not in page


@pytest.mark.parametrize(
    ("seconds_ago", "said"),
    [(None, "Nothing was sent yet"), (20, "The last prompt was sent moments ago"), (3_000, "No lines were found")],
)
def test_an_empty_log_says_why(
    client: Client, logged: Session, alice: User, seconds_ago: int | None, said: str
) -> None:
    if seconds_ago is not None:
        Session.objects.update(last_invoked_at=timezone.now() - timedelta(seconds=seconds_ago))
    client.force_login(alice)
    page = lines(client, logged)

    assert said in page
    assert ("Check again" in page) == (seconds_ago is not None)


def test_what_cloudwatch_refuses_is_told_with_what_to_do(
    client: Client, emulator: Any, make_session: MakeSession, alice: User, settings: Any
) -> None:
    session = make_session()
    client.force_login(alice)

    assert "There is no log group yet" in lines(client, session)
    settings.EMULATOR_URL = "http://127.0.0.1:9"
    page = lines(client, session)
    assert 'role="alert"' in page and "log-list" not in page
    download = client.get(reverse("sessions:logs-download", args=[session.public_id]))
    assert download.status_code >= 500 and download["Content-Type"].startswith("text/plain")


def test_the_same_lines_are_a_text_file(client: Client, logged: Session, alice: User) -> None:
    write(logged, "INFO <first>", "ERROR second", "third")
    client.force_login(alice)
    answer = client.get(reverse("sessions:logs-download", args=[logged.public_id]), {"level": "INFO"})

    assert answer["Content-Disposition"] == f'attachment; filename="session-{logged.public_id}.log"'
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    body = answer.content.decode()
    assert re.fullmatch(rf"{stamp} INFO INFO <first>\n{stamp} ERROR ERROR second\n", body) is not None


def test_strangers_see_no_lines_and_on_the_agents_page_only_those_of_their_own_sessions(
    client: Client, logged: Session, make_session: MakeSession, bob: User, carol: User
) -> None:
    """Lines may quote what was said to an agent that several people use."""
    bobs = make_session(agent=logged.agent, owner=bob)
    write(logged, "INFO of alice")
    write(bobs, "INFO of bob")
    address = reverse("sessions:agent-logs", args=[logged.agent_id])
    client.force_login(bob)
    for name in ("logs", "logs-download"):
        assert client.get(reverse(f"sessions:{name}", args=[logged.public_id])).status_code == 404

    assert texts(client.get(address, headers=LINES).content.decode()) == ["INFO of bob"]
    file = client.get(reverse("sessions:agent-logs-download", args=[logged.agent_id])).content.decode()
    assert "of bob" in file and "of alice" not in file
    client.force_login(carol)
    assert texts(client.get(address, headers=LINES).content.decode()) == ["INFO of alice", "INFO of bob"]
    assert texts(client.get(address, {"range": "1h", "q": "alice"}, headers=LINES).content.decode()) == [
        "INFO of alice"
    ]
    assert client.get(address, {"qualifier": "nowhere"}).status_code == 200  # unknown ones ask for DEFAULT
    assert client.get(reverse("sessions:agent-logs", args=[999_999])).status_code == 404


def test_the_lines_of_an_agent_are_those_of_an_endpoint_and_a_range(
    client: Client, logged: Session, alice: User
) -> None:
    Agent.objects.filter(pk=logged.agent_id).update(available_qualifiers=["DEFAULT", "prod"])
    logs: Any = aws_client(current_connection(), "logs", "us-east-1")
    logs.create_log_group(logGroupName=group_of(logged, "prod"))
    write(logged, "at prod", qualifier="prod")
    for text, hours_ago in (("now", 0), ("this morning", 3), ("last week", 70)):
        write(logged, text, hours_ago=hours_ago)
    client.force_login(alice)

    def found(**query: str) -> list[str]:
        address = reverse("sessions:agent-logs", args=[logged.agent_id])
        return texts(client.get(address, query, headers=LINES).content.decode())

    assert found() == ["this morning", "now"]
    assert found(range="1h") == ["now"]
    assert found(range="7d") == ["last week", "this morning", "now"]
    assert found(qualifier="prod") == ["at prod"]


def test_a_level_says_how_many_lines_it_leaves_out_and_wrapping_stays_in_the_address(
    client: Client, logged: Session, alice: User
) -> None:
    write(logged, "INFO one", "INFO two", "ERROR three")
    client.force_login(alice)

    assert "<b>1</b> line, 2 not shown" in lines(client, logged, level="ERROR")
    address = reverse("sessions:logs", args=[logged.public_id])
    page = client.get(address, {"wrap": "on", "level": "ERROR"}).content.decode()
    assert '<input type="checkbox" name="wrap" checked>' in page
    download = reverse("sessions:logs-download", args=[logged.public_id])
    assert f'href="{download}?level=ERROR"' in page
    assert '<input type="checkbox" name="wrap">' in client.get(address).content.decode()


def line(message: str, level: str = "") -> LogLine:
    return LogLine(AT, AT, message, "stream", "", level)


@pytest.mark.parametrize(
    ("message", "text", "has_record"),
    [
        ('{"message": "said"}', "said", True),
        ('{"msg": "said", "x": 1}', "said", True),
        ('{"message": {"deep": 1}}', '{"message": {"deep": 1}}', True),
        ("{not json", "{not json", False),
        ("\x1b[1;31mred\x1b[0m end\n", "red end", False),
    ],
)
def test_a_line_shows_what_it_says(message: str, text: str, has_record: bool) -> None:
    shown = ShownLine(line(message))

    assert (shown.text, bool(shown.record)) == (text, has_record)


def test_a_text_file_keeps_what_the_agent_wrote() -> None:
    assert as_text([line('{"a": 1}\n', "INFO"), line("b")]) == (
        '2026-11-20T10:00:00.123Z INFO {"a": 1}\n2026-11-20T10:00:00.123Z b\n'
    )
    assert [kept.message for kept in keep_level([line("a"), line("b", "CRITICAL")], "ERROR")] == ["b"]


def test_a_sessions_range_reaches_from_its_start_to_the_longest_life_of_its_last_environment(
    make_session: MakeSession,
) -> None:
    session, minute = make_session(), timedelta(minutes=1)
    session.created_at, session.last_invoked_at = AT, AT + timedelta(hours=1)
    session.agent.runtime.max_lifetime_ms = 7_200_000

    assert range_of(session) == (AT - minute, AT + timedelta(hours=3) + minute)
    session.ended_at = AT + timedelta(hours=2)
    assert range_of(session) == (AT - minute, AT + timedelta(hours=2) + 2 * minute)
    session.is_own_id = False  # it began outside Loom
    assert range_of(session)[0] == AT - timedelta(days=1) - minute


def test_the_log_group_of_an_agent_on_aws_leads_to_its_console(client: Client, logged: Session, alice: User) -> None:
    write(logged, "INFO: hello")
    client.force_login(alice)
    address = reverse("sessions:logs", args=[logged.public_id])
    assert "AWS console" not in client.get(address, headers=LINES).content.decode()
    Agent.objects.filter(pk=logged.agent_id).update(origin="aws")
    html = client.get(address, headers=LINES).content.decode()
    assert "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/" in html
    assert f"/log-events/{timezone.now():%Y}$252F" in html
