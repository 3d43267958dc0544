"""Every page of every app: it renders, without data and with all kinds of it, and keeps to the content policy."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.runtime_rows import SHARED_COLUMNS
from apps.agents.models import Agent
from apps.agents.services import archive_agent
from apps.costs.services import make_budget
from apps.metrics.models import Plan, PlanPrompt, PlanRun, PlanTarget, StartSeries
from apps.metrics.prompt_sets.reading import Prompt
from apps.metrics.prompt_sets.services import make_prompt_set
from apps.metrics.spending.budgets import limit_spending
from apps.metrics.starts.services import create_measurement
from apps.sessions.engine import host
from apps.sessions.models import Invocation, Recording, Session
from apps.sessions.services import set_session_tags
from apps.sessions.tests.memory_host import MemoryHost
from apps.takeout.services import share_session
from loom.tests.comparisons import make_bench, make_comparison
from loom.tests.doors.furnishing import keys_of_alert, make_account, make_alert
from loom.tests.fixtures import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("refusing_aws")]

EVIL = '</pre></textarea><script>alert(1)</script><b style="color:red" onclick="alert(1)">'
EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "offset_ms": 0.0, "kind": "invoked", "at": "2026-11-20T10:00:00+00:00", "attempt": 1},
    {"seq": 2, "offset_ms": 90.0, "kind": "headers", "http_status": 200, "content_type": "text/event-stream"},
    {"seq": 3, "offset_ms": 100.0, "kind": "text", "text": f"# Title\n\n{EVIL}\n\n```python\nx = '{EVIL}'\n```\n"},
]
# Whose key an argument of an address is.
OBJECT_OF_ARGUMENT = {
    "pk": "agent", "agent_pk": "agent", "public_id": "session", "number": "number", "link_id": "link",
    "token": "secret", "set_id": "set", "item_id": "item", "plan_id": "plan",
    "comparison_id": "comparison", "bench_id": "bench", "budget_id": "budget", "rule_id": "rule",
    "channel_id": "channel", "notice_id": "notice", "account_key": "account",
}  # fmt: skip
# Their `pk` is that of a measurement of an agent's start.
OF_SERIES = {"metrics:start-series", "metrics:start-series-progress-fragment", "metrics:start-series-cancel"}
# Its `pk` is that of a run.
OF_RUNS = {"sessions:run", "overview:rating"}
# Their `pk` is that of an alert.
OF_ALERTS = {"alerts:detail", "alerts:act"}
# For programs with a token.
OF_TOKENS = {"metrics"}
# Others see it as if it were not there.
OF_STAFF = {"design", "aws_accounts:new", "aws_accounts:delete"}
# A part of a page whose name does not say so.
FRAGMENTS = {"sessions:expectation"}
# What an agent of another kind has not.
OF_AGENTCORE = {
    "agents:account-fragment", "agents:aws-metrics-fragment", "agents:refresh", "agents:revive", "agents:settings",
    "agents:measure", "agents:keep-warm", "agents:versions", "metrics:start-series-estimate-fragment",
    "metrics:start-series-start", "sessions:agent-logs", "sessions:agent-logs-download", "sessions:logs",
    "sessions:logs-download", "sessions:run-log-fragment", "sessions:log-doctor", "sessions:agent-log-doctor",
}  # fmt: skip


def find_addresses(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Name every address below a resolver, with its arguments.

    Without the administration, which is Django's, and the API, which has no pages.
    """
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", list(pattern.pattern.converters)
        elif pattern.namespace not in {"admin", "api"}:
            yield from find_addresses(pattern, f"{pattern.namespace}:" if pattern.namespace else prefix)


ARGUMENTS = dict(find_addresses(get_resolver()))
ALL = sorted(ARGUMENTS)
OF_OBJECTS = [name for name in ALL if ARGUMENTS[name]]


def address_of(name: str, keys: dict[str, Any]) -> str:
    if name in OF_SERIES:
        return reverse(name, kwargs={"pk": keys.get("series", 99_999)})
    if name in OF_RUNS:
        return reverse(name, kwargs={"pk": keys.get("run", 99_999)})
    if name in OF_ALERTS:
        return reverse(name, kwargs={"pk": keys.get("alert", 99_999)})
    known = {
        "number": 1,
        "link": 99_999,
        "secret": "nowhere",
        **dict.fromkeys(
            ("set", "item", "plan", "comparison", "bench", "budget", "rule", "channel", "notice", "account"), 99_999
        ),
        **keys,
    }
    return reverse(name, kwargs={argument: known[OBJECT_OF_ARGUMENT[argument]] for argument in ARGUMENTS[name]})


class Inline(HTMLParser):
    """Collects what the content policy would refuse, and every address that leads out of this server."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.titles = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.titles += tag == "title"
        if tag == "style" or (tag == "script" and not values.get("src")):
            self.refused.append(f"<{tag}>")
        for name, value in values.items():
            if name == "style" or (name.startswith("on") and name != "on"):
                self.refused.append(f"{tag} {name}={value}")
            if name in {"src", "href", "action"} and re.match(r"(?i)\s*(?:[a-z]+:|//)", value or ""):
                self.refused.append(f"{tag} {name}={value}")


def check(text: str, *, is_page: bool = True) -> None:
    parser = Inline()
    parser.feed(text)
    parser.close()
    assert parser.refused == []
    assert (parser.titles == 1, text.lstrip().startswith("<!doctype html>")) == (is_page, is_page)


def visit(client: Client, name: str, keys: dict[str, Any]) -> None:
    """Open an address, unless it is none to open, and check what it shows."""
    if name in OF_STAFF:
        assert client.get(address_of(name, keys)).status_code == 404
        client.force_login(make_user("staff@example.com", is_staff=True))
    response = client.get(address_of(name, keys))
    if response.status_code in {302, 405}:  # home leads on, the others only change something
        return
    if name in OF_TOKENS and response.status_code == 401:
        return
    if name.endswith("logs-download") and response.status_code == 502:  # no CloudWatch here
        return
    assert response.status_code == 200
    if response["Content-Type"].startswith("text/html"):
        check(response.content.decode(), is_page=not name.endswith("-fragment") and name not in FRAGMENTS)


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def make_series(agent: Agent, owner: User) -> StartSeries:
    return StartSeries.objects.create(
        agent=agent, owner=owner, prompt=EVIL, count=1, max_cost_usd=1, estimated_cost_usd=0, message=EVIL,
        created_at=timezone.now(),
    )  # fmt: skip


def make_plan(session: Session, run: Invocation | None = None) -> dict[str, Any]:
    """The keys of a prompt set of the session's owner and of what it found; with a run also an answer."""
    checks: list[dict[str, Any]] = [
        {"kind": "contains", "text": EVIL},
        {"kind": "tool_called", "name": EVIL, "arguments": {EVIL: EVIL}},
    ]
    prompt_set = make_prompt_set(owner=session.owner, name=EVIL, prompts=[Prompt(EVIL, checks)])
    budget = make_budget(owner=session.owner, name=EVIL, limit_usd=Decimal(1))
    plan = Plan.objects.create(
        owner=session.owner, name=EVIL, source="prompt_set", message=EVIL, until_at=timezone.now(), budget=budget,
        created_at=timezone.now(), prompt_set=prompt_set,
    )  # fmt: skip
    prompt = PlanPrompt.objects.create(plan=plan, position=0, text=EVIL, checks=checks)
    for position, name in enumerate((EVIL[:48], "DEFAULT")):
        target = PlanTarget.objects.create(
            plan=plan, position=position, agent=session.agent, qualifier=name, reserved_usd=0
        )
        if run is not None and not position:
            findings = [{"kind": check["kind"], "has_passed": False, "reason": EVIL} for check in checks]
            PlanRun.objects.create(
                plan=plan, place=1, target=target, prompt=prompt, repeat=0, invocation=run, has_passed=False,
                findings=findings,
            )  # fmt: skip
    return {"set": prompt_set.pk, "item": prompt_set.items.get().pk, "plan": plan.pk}


def share(session: Session) -> dict[str, Any]:
    """The keys of a new link to the session, and of a comparison, a budget and an alert of its owner's."""
    link, secret = share_session(session=session, user=session.owner)
    limited: Any = {"scope": "owner", "scope_id": session.owner_id, "period": "day", "limit_usd": Decimal(9)}
    return {
        "link": link.pk,
        "secret": secret,
        "comparison": make_comparison(session).pk,
        "account": make_account().pk,
        "bench": make_bench(session).pk,
        "budget": limit_spending(owner=session.owner, name=EVIL, **limited).pk,
        **{argument.removesuffix("_id"): key for argument, key in keys_of_alert(make_alert(session)).items()},
    }


@pytest.fixture
def everything(make_agent: Callable[..., Agent], make_session: Callable[..., Session]) -> dict[str, Any]:
    """An agent and a session with a run of every kind, full of what must not be taken for markup."""
    agent = make_agent(
        name="evil_agent",
        description=EVIL,
        raw_metadata={"x": EVIL},
        last_invoked_at=timezone.now(),
        invocation_count=9,
    )
    session = make_session(agent=agent, title=EVIL)
    set_session_tags(session=session, names=[EVIL[:40]])
    now = timezone.now()
    runs = [*Invocation.FINISHED, Invocation.Status.COMPLETED, Invocation.Status.STREAMING]
    for number, status in enumerate(runs, start=1):
        is_finished = status in Invocation.FINISHED
        invocation = Invocation.objects.create(
            session=session,
            number=number,
            status=status,
            prompt=EVIL,
            payload=f'{{"prompt": "{number}"}}',
            response_text=EVIL,
            requested_at=now,
            invoked_at=now,
            headers_at=now + timedelta(milliseconds=90),
            first_chunk_at=now + timedelta(milliseconds=95),
            first_token_at=now + timedelta(milliseconds=100),
            completed_at=now + timedelta(seconds=2) if is_finished else None,
            http_status=200,
            content_type="text/event-stream",
            request_id=EVIL,
            error_code=EVIL if status == Invocation.Status.FAILED else "",
            error_message=EVIL if status == Invocation.Status.FAILED else "",
            error_advice=EVIL if status == Invocation.Status.FAILED else "",
            chunk_count=3,
            version="3",
        )
        Recording.objects.create(invocation=invocation, events=EVENTS)
        if is_finished:
            create_measurement(invocation=invocation)
    series = make_series(agent, session.owner)
    keys = {"agent": agent.pk, "session": session.public_id, "run": invocation.pk, "series": series.pk}
    return keys | share(session) | make_plan(session, invocation)


def test_the_pages_that_everybody_knows_are_found() -> None:
    assert {"agents:list", "agents:detail", "sessions:list", "sessions:detail", "metrics:operate"} <= set(ALL)


@pytest.mark.parametrize("name", [name for name in ALL if not ARGUMENTS[name]])
def test_a_page_renders_without_any_data(signed_in: Client, name: str) -> None:
    visit(signed_in, name, {})


@pytest.mark.parametrize(
    "name", [name for name in OF_OBJECTS if "number" not in ARGUMENTS[name] and name not in OF_RUNS]
)
def test_a_page_of_something_new_renders(signed_in: Client, make_session: Callable[..., Session], name: str) -> None:
    session = make_session()

    series = make_series(session.agent, session.owner)
    keys = {"agent": session.agent_id, "session": session.public_id, "series": series.pk}
    visit(signed_in, name, keys | share(session) | make_plan(session))


@pytest.mark.parametrize("name", ALL)
def test_a_page_renders_with_all_kinds_of_data(signed_in: Client, everything: dict[str, Any], name: str) -> None:
    """What agents, AWS and users wrote stays text."""
    visit(signed_in, name, everything)


GARBAGE = {
    **dict.fromkeys(("arn", "runtime_id", "region", "log_group"), "longago"),
    **dict.fromkeys(("account_id", "protocol", "platform_version", "authorizer_kind"), "longago"),
    **dict.fromkeys(("idle_timeout_ms", "max_lifetime_ms", "read_timeout_ms"), 777_123_000),
    **{name: ["longago"] for name in ("raw_metadata", "payload_template")},
    "retry_unproven": True,
    "last_refreshed_at": datetime(2001, 1, 1, tzinfo=UTC),
}
GARBAGE_SHOWN = re.compile("longago|777.?123|2001-01-01|sent again before")
JSON = ["/api/agents", "/api/agents/{agent}", "/api/agents/{agent}/sessions"]


@pytest.mark.parametrize("place", [*ALL, *JSON])
def test_no_answer_shows_what_only_the_release_before_reads(
    signed_in: Client, everything: dict[str, Any], place: str
) -> None:
    address = place.format(**everything) if place in JSON else address_of(place, everything)
    before = signed_in.get(address)
    assert GARBAGE.keys() == set(SHARED_COLUMNS)
    Agent.objects.update(**{f"former_{name}": value for name, value in GARBAGE.items()})

    answer = signed_in.get(address)

    assert (answer.status_code, answer.streaming) == (before.status_code, before.streaming)
    if not answer.streaming:
        assert GARBAGE_SHOWN.findall(answer.content.decode()) == []
    if place in JSON:
        assert (answer.status_code, answer.json()) == (200, before.json())


@pytest.mark.parametrize("name", ALL)
def test_an_agent_of_another_kind_has_its_pages(
    signed_in: Client, make_agent: Callable[..., Agent], alice: User, name: str, request: pytest.FixtureRequest
) -> None:
    """What only AgentCore has is not there, the rest is."""
    host.register("external", MemoryHost)
    request.addfinalizer(lambda: host.forget("external"))
    agent = make_agent(kind="external", origin="loom", name="homemade")
    session = Session.objects.create(
        agent=agent, owner=alice, runtime_session_id="s" * 36, created_at=timezone.now(), last_invoked_at=timezone.now()
    )
    run = Invocation.objects.create(
        session=session, number=1, status="completed", prompt="Hello", requested_at=timezone.now(), version="1",
        invoked_at=timezone.now(), completed_at=timezone.now(), http_status=200,
    )  # fmt: skip
    keys = {"agent": agent.pk, "session": session.public_id, "run": run.pk, **share(session), **make_plan(session, run)}

    if name in OF_AGENTCORE:
        assert signed_in.get(address_of(name, keys)).status_code in {404, 405}
    elif name not in OF_SERIES:
        visit(signed_in, name, keys)
    if name == "agents:list":
        assert "homemade" in signed_in.get(reverse(name)).content.decode()


@pytest.mark.parametrize("mode", ["emulator", "aws"])
def test_each_mode_has_its_frame(signed_in: Client, settings: Any, mode: str) -> None:
    settings.LOOM_AWS = mode

    text = signed_in.get(reverse("agents:list")).content.decode()

    check(text)
    assert f'class="mode mode-{mode}"' in text


@pytest.mark.parametrize("name", OF_OBJECTS)
def test_what_is_not_there_is_404(signed_in: Client, name: str) -> None:
    address = address_of(name, {"agent": 99_999, "session": uuid.uuid4()})

    statuses = {signed_in.get(address).status_code, signed_in.post(address).status_code}
    assert statuses in ({404, 405}, {404})


@pytest.mark.parametrize("name", [name for name in OF_OBJECTS if "public_id" in ARGUMENTS[name]])
def test_a_session_is_hidden_from_strangers(client: Client, bob: User, everything: dict[str, Any], name: str) -> None:
    client.force_login(bob)
    address = address_of(name, everything)

    statuses = {client.get(address).status_code, client.post(address).status_code}
    assert statuses in ({404, 405}, {404})


@pytest.mark.parametrize("path", ["/nowhere/", "/agents/99999999999999999999/", "/sessions/x/", "/static/nowhere.css"])
def test_an_address_that_leads_nowhere_says_so(signed_in: Client, path: str) -> None:
    response = signed_in.get(path)
    text = response.content.decode()

    assert (response.status_code, "There is nothing here" in text) == (404, True)
    check(text)


def test_home_leads_to_the_agents(signed_in: Client) -> None:
    response = signed_in.get("/")

    assert (response.status_code, response["Location"]) == (302, "/agents/")


def test_a_form_that_is_too_old_says_so(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)

    response = strict.post(reverse("agents:register"))

    assert (response.status_code, "The form was too old" in response.content.decode()) == (403, True)
    check(response.content.decode())


def test_the_history_of_a_removed_agent_stays(signed_in: Client, everything: dict[str, Any]) -> None:
    archive_agent(agent=Agent.objects.get(pk=everything["agent"]))

    archived = signed_in.get(address_of("agents:detail", everything))
    assert (archived.status_code, "rchived" in archived.content.decode()) == (200, True)
    page = signed_in.get(address_of("sessions:detail", everything))
    assert (page.status_code, "evil_agent" in page.content.decode()) == (200, True)
    assert list(Session.objects.values_list("public_id", flat=True)) == [everything["session"]]
    assert Invocation.objects.count() == 6
