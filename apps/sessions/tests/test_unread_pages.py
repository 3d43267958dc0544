"""What of an answer Loom did not understand, on the page of its session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.sessions.engine.recording import Pending, finish_invocation
from apps.sessions.engine.run import Run
from apps.sessions.engine.run_stream import LiveStream
from apps.sessions.invoking import start_invocation
from apps.sessions.models import Invocation, Session
from loom_events.fold import UNREAD, UNREAD_MORE
from loom_events.kinds import RunEvent

pytestmark = pytest.mark.django_db

UNREAD_EVENTS: list[RunEvent] = [
    {"kind": "other", "name": UNREAD, "value": {"artifact": ["<b>12</b>"]}},
    {"kind": "other", "name": UNREAD, "value": "event: odd"},
    {"kind": "other", "name": UNREAD_MORE, "value": {"count": 3}},
]
TEXT: RunEvent = {"kind": "text", "text": "Gate 4."}
TOOL: RunEvent = {"kind": "tool", "tool_use_id": "t", "name": "look", "span_id": "t"}
NOTHING = "The agent answered with nothing."
SILENT = "The agent sent 5 events that Loom could not read as text."
BESIDE = "5 events of this answer could not be read"


@pytest.fixture
def as_alice(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def answered(session: Session, *events: RunEvent, **columns: Any) -> Invocation:
    """A run that is over, as the engine stores it."""
    invocation = start_invocation(session=session, prompt="Which gate?", process_id=None)
    run = Run(invocation, LiveStream(invocation.pk))
    run.begin(1)
    run.received(240, 1.0)
    for event in events:  # one by one, so that text is not joined
        run.emit(event)
    fields = {**run.stream.changed_fields, **run.summary(), **columns}
    status = columns.get("status", "completed")
    del fields["status"]
    rest = Pending(invocation.pk, run.stream.events, fields)
    assert finish_invocation(None, rest, status=status, completed_at=timezone.now())
    return Invocation.objects.get(pk=invocation.pk)


@pytest.mark.parametrize(
    ("events", "columns", "told"),
    [
        (UNREAD_EVENTS, {}, SILENT),
        ([*UNREAD_EVENTS, TEXT], {}, BESIDE),
        ([TOOL, *UNREAD_EVENTS], {}, BESIDE),
        (UNREAD_EVENTS, {"status": "failed", "error_message": "It broke."}, BESIDE),
        (UNREAD_EVENTS[:1], {}, "The agent sent 1 event that Loom could not read as text."),
        ([], {}, "The agent sent 240 bytes, and no text in them."),
        ([{"kind": "text", "text": ""}], {}, "The agent sent 240 bytes, and no text in them."),
        ([], {"byte_count": 0}, NOTHING),
        ([], {"byte_count": 0, "status": "stopped"}, ""),
        ([], {"byte_count": 0, "status": "failed", "error_message": "It broke."}, ""),
        ([TEXT], {}, ""),
        ([], {"status": "failed", "error_message": "It broke."}, ""),
        ([TEXT], {"content_type": "text/html; charset=utf-8"}, "answered with a page of its own (HTML)"),
    ],
)
def test_a_turn_says_what_was_not_understood(
    as_alice: Client, make_session: Callable[..., Session], events: list[RunEvent], columns: dict[str, Any], told: str
) -> None:
    """An answer without a word says so, one with some says it beside them."""
    session = make_session()
    run = answered(session, *events, **columns)
    page = as_alice.get(session.get_absolute_url()).content.decode()

    words = [NOTHING, SILENT, BESIDE, "could not", "no text in", "(HTML)"]
    assert told in page
    assert [word for word in words if word in page and word not in told] == []
    unread_url = reverse("sessions:unread", args=[session.public_id, run.number])
    assert (unread_url in page) is bool(run.unread_event_count)


def test_the_raw_values_are_one_click_away(as_alice: Client, make_session: Callable[..., Session], bob: User) -> None:
    session = make_session()
    answered(session, *UNREAD_EVENTS)
    url = reverse("sessions:unread", args=[session.public_id, 1])
    fragment = as_alice.get(url, headers={"HX-Request": "true"}).content.decode()

    assert "&lt;b&gt;12&lt;/b&gt;" in fragment and "event: odd" in fragment and "3 more were only counted." in fragment
    plain = as_alice.get(url)
    assert plain["Content-Type"] == "text/plain; charset=utf-8"
    assert plain.content.decode() == '{\n  "artifact": [\n    "<b>12</b>"\n  ]\n}\n\nevent: odd'
    assert as_alice.get(reverse("sessions:unread", args=[session.public_id, 2])).status_code == 404
    as_alice.force_login(bob)
    assert as_alice.get(url).status_code == 404


def test_a_long_value_is_cut_on_the_page_and_whole_behind_the_link(
    as_alice: Client, make_session: Callable[..., Session]
) -> None:
    session = make_session()
    answered(session, {"kind": "other", "name": UNREAD, "value": "x" * 50_000})
    url = reverse("sessions:unread", args=[session.public_id, 1])

    fragment = as_alice.get(url, headers={"HX-Request": "true"}).content.decode()
    assert fragment.count("x") < 20_100 and "…</pre>" in fragment and f'href="{url}"' in fragment
    assert as_alice.get(url).content == b"x" * 50_000
