"""Sessions and runs as files: whole, safe to open, with names that any file system takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from apps.accounts.models import User
from apps.sessions.models import Invocation, Session
from apps.takeout.exporting.downloads import file_name
from apps.takeout.exporting.formats import RUN_FORMATS, SESSION_FORMATS
from apps.takeout.exporting.html import STYLES
from apps.takeout.exporting.markdown import closed, quoted
from apps.takeout.tests.conftest import MakeRun

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def take(client: Client, session: Session, wanted: str, run: int | None = None) -> Any:
    path = (
        f"/sessions/{session.public_id}/export/" if run is None else f"/sessions/{session.public_id}/runs/{run}/export/"
    )
    return client.get(f"{path}?format={wanted}")


def test_a_session_as_markdown(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session(title="Trains *now*")
    make_run(session, prompt="When?\n```\n# no heading", answer="# Soon\n```python\nopen")
    make_run(session, prompt="And back?", answer="At nine.")
    client.force_login(alice)
    response = take(client, session, "markdown")
    text = body(response)

    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="Trains-now-')
    assert text.startswith("# Trains \\*now\\*\n")
    tokens = MarkdownIt().parse(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    # A prompt is no heading, and what an answer left open swallows nothing that comes after it.
    assert [heading.partition(" ·")[0] for heading in headings] == [
        "Trains \\*now\\*", "Run 1", "Prompt", "What the agent did", "Answer", "Soon", "Run 2", "Prompt",
        "What the agent did", "Answer",
    ]  # fmt: skip
    fences = [token.content for token in tokens if token.type == "fence"]
    assert fences[:3] == ["When?\n```\n# no heading\n", '{"from": "Ghent"}\n', "08:12\n"]
    assert "Time to first token: 100 ms" in text and "Startup: 80 ms (cold" in text and "Emulated" in text


def test_a_session_as_json_holds_everything(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session(title="Trains")
    for number in range(23):  # more than are read at a time
        make_run(session, prompt=f"Question {number}", answer=f"Answer {number}")
    client.force_login(alice)
    told = json.loads(body(take(client, session, "json")))

    assert (told["format"], told["session_id"]) == ("loom.session/1", session.runtime_session_id)
    assert [run["prompt"] for run in told["invocations"]] == [f"Question {number}" for number in range(23)]
    first = told["invocations"][0]
    assert (first["response"], first["time_to_first_token_ms"], first["is_cold"]) == ("Answer 0", 100.0, True)
    assert [event["seq"] for event in first["events"]] == list(range(1, 9))
    assert "arn" not in json.dumps(told) and session.agent.runtime.account_id not in json.dumps(told)


class Tags(HTMLParser):
    """The elements of a page, and the addresses that it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.loaded: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.loaded += [
            value for name, value in attrs if name in {"src", "srcset"} or (tag == "link" and name == "href")
        ]


def test_a_session_as_one_page_that_runs_nothing_and_loads_nothing(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session(title=EVIL)
    make_run(session, prompt=EVIL, answer=f"**bold** {EVIL}")
    client.force_login(alice)
    response = take(client, session, "html")
    text = body(response)
    tags = Tags()
    tags.feed(text)

    assert response["Content-Disposition"].startswith("attachment; ")
    assert text.count("</style>") == 1 and "<strong>bold</strong>" in text
    assert tags.loaded == [] and not tags.names & {"script", "img", "iframe", "link", "form", "object"}
    assert [name for name in tags.attributes if name.startswith(("on", "hx-"))] == []
    assert "default-src &#x27;none&#x27;" in text
    assert "@import" not in text and "url(" not in text


def test_no_style_ends_its_element_or_asks_for_another_file() -> None:
    for name in STYLES:
        text = (Path(settings.BASE_DIR) / "static" / "css" / name).read_text()
        assert not re.search(r"</|@import|url\(", text), name


def test_a_run_in_every_format(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session()
    make_run(session)
    client.force_login(alice)
    found = {wanted: take(client, session, wanted, run=1) for wanted in RUN_FORMATS}

    assert {wanted: response.status_code for wanted, response in found.items()} == dict.fromkeys(RUN_FORMATS, 200)
    texts = {wanted: body(response) for wanted, response in found.items()}
    assert json.loads(texts["json"])["events"][4]["text"] == "08:12"
    assert session.agent.runtime.arn in texts["boto3"] and session.agent.runtime.arn in texts["cli"]
    assert f"http://testserver/api/agents/{session.agent_id}/invoke" in texts["curl"]
    assert "Client('http://testserver', token=os.environ[\"LOOM_TOKEN\"])" in texts["loom_client"]


def test_what_cannot_be_taken_out_says_why(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session()
    run = make_run(session, prompt="", payload="", response_text="")
    Invocation.objects.filter(pk=run.pk).update(content_removed_at=run.completed_at)
    client.force_login(alice)
    answers = {wanted: take(client, session, wanted, run=1) for wanted in ("curl", "evidence", "docx", "markdown")}

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "curl": 410, "evidence": 410, "docx": 400, "markdown": 200
    }  # fmt: skip
    assert b"One of: markdown, json, curl" in answers["docx"].content
    assert "were removed" in body(answers["markdown"])


def test_an_agent_of_another_kind_has_no_arn_to_send_to(
    client: Client, alice: User, make_agent: Callable[..., Any], make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session()
    make_run(session)
    session.agent.runtime.delete()
    client.force_login(alice)

    assert take(client, session, "boto3", run=1).status_code == 400
    assert take(client, session, "curl", run=1).status_code == 200
    page = client.get(f"/sessions/{session.public_id}/take-out/")
    assert page.status_code == 200 and b"agent_runtime" not in page.content


@pytest.mark.django_db(transaction=True)
async def test_a_file_is_sent_while_it_is_made(
    alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    """By an asynchronous server, too: the rows of later runs are read when the first have been sent."""
    session = await sync_to_async(make_session)()
    for _ in range(25):
        await sync_to_async(make_run)(session, answer="word " * 2_000)
    client = AsyncClient()
    await sync_to_async(client.force_login)(alice)
    response: Any = await client.get(f"/sessions/{session.public_id}/export/?format=json")
    pieces = [piece async for piece in response.streaming_content]

    assert len(pieces) > 5
    assert len(json.loads(b"".join(pieces))["invocations"]) == 25


@given(parts=st.lists(st.text(max_size=120), max_size=3), suffix=st.sampled_from(["md", "json"]))
def test_a_name_is_safe_whatever_it_is_made_of(parts: list[str], suffix: str) -> None:
    name = file_name(*parts, suffix=suffix)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}", name), name
    assert name.endswith(f".{suffix}") and ".." not in name.removesuffix(f".{suffix}").strip(".") + "x"


@given(text=st.text(alphabet="`~ab\n #", max_size=60))
def test_what_is_quoted_is_one_block(text: str) -> None:
    tokens = MarkdownIt().parse(f"{quoted(text)}\n\n# After")
    assert [token.type for token in tokens] == ["fence", "heading_open", "inline", "heading_close"]


@given(text=st.text(alphabet="`~a\n py", max_size=60))
def test_an_answer_that_is_closed_swallows_nothing(text: str) -> None:
    tokens = MarkdownIt().parse(f"{closed(text)}\n\n# After")
    assert tokens[-2].content == "After" and tokens[-3].type == "heading_open"


def test_all_formats_are_offered_on_the_page(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session()
    make_run(session)
    make_run(session, prompt="The second")
    client.force_login(alice)
    page = client.get(f"/sessions/{session.public_id}/take-out/?run=1").content.decode()

    for wanted in SESSION_FORMATS:
        assert f"/sessions/{session.public_id}/export/?format={wanted}" in page
    for wanted in (*RUN_FORMATS, "evidence"):
        assert f"/sessions/{session.public_id}/runs/1/export/?format={wanted}" in page


def test_the_menu_of_a_turn_leads_to_its_programs(
    client: Client, alice: User, make_session: Callable[..., Session], make_run: MakeRun
) -> None:
    session = make_session()
    make_run(session, prompt="The first")
    make_run(session, prompt="The second")
    client.force_login(alice)
    address = f"/sessions/{session.public_id}/take-out/?run=1"

    assert (
        f'href="{address}#run"' in client.get(reverse("sessions:again", args=[session.public_id, 1])).content.decode()
    )
    assert f"/sessions/{session.public_id}/runs/1/export/" in client.get(address).content.decode()
