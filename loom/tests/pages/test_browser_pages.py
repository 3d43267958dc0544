"""Every address in headless Chromium, on a Loom full of what agents, users and AWS must not be able to do to it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Browser, Page, expect

from loom.tests import evil_agent
from loom.tests.evil_agent import EVIL
from loom.tests.fixtures import ROOT, Loom, running_loom
from loom.tests.looking import DESKTOP, PHONE, SIDEWAYS, Witness, look, settle
from loom.tests.pages.poison import WAITING, poison
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, newest_session_id, rows, send_prompt_set

pytestmark = pytest.mark.browser

# Every named address that is not the administration's or the API's is one of these. A new one has to be put here.
PAGES = [
    "sessions:replay",
    "home", "design", "accounts:login", "agents:list", "agents:detail", "agents:sessions", "agents:runs",
    "agents:measure", "agents:versions", "agents:settings", "agents:register", "sessions:list",
    "sessions:detail", "sessions:logs", "sessions:agent-logs", "sessions:log-doctor",
    "sessions:agent-log-doctor", "sessions:new", "sessions:deleted", "overview:runs", "metrics:operate",
    "metrics:start-series", "sessions:timeline", "sessions:again", "sessions:queued-prompt",
    "sessions:take-out", "takeout:evidence", "takeout:shared", "overview:rating",
    "prompt_sets:list", "prompt_sets:new", "prompt_sets:detail", "prompt_sets:rename", "prompt_sets:delete",
    "prompt_sets:prompt-new", "prompt_sets:prompt", "prompt_sets:replay", "prompt_sets:results", "prompt_sets:compare",
    "compare:list", "compare:new", "compare:plan", "compare:targets", "costs:list", "costs:budget",
    "metrics:environments", "metrics:cold-starts", "agents:keep-warm",
    "bench:list", "bench:new", "bench:detail",
    "alerts:list", "alerts:detail", "alerts:rules", "alerts:rule-new", "alerts:rule", "alerts:rule-delete",
    "alerts:channels", "alerts:channel-delete", "alerts:notices",
    "aws_accounts:list", "aws_accounts:new", "aws_accounts:detail", "aws_accounts:delete",
]  # fmt: skip
# Parts of the pages above, looked at where they stand.
FRAGMENTS = [
    "palette-fragment", "palette-results-fragment",
    "agents:import", "agents:account-fragment", "agents:aws-metrics-fragment",
    "agents:aws-account-fragment", "agents:aws-permissions-fragment", "sessions:turn-menu-fragment",
    "sessions:run-log-fragment", "sessions:turns-fragment", "sessions:queue-fragment", "sessions:expectation",
    "sessions:agent-options-fragment", "metrics:latency-fragment", "metrics:agent-figures-fragment",
    "agents:recent-fragment",
    "metrics:operate-drawings-fragment", "metrics:operate-live-fragment",
    "metrics:start-series-estimate-fragment", "metrics:start-series-progress-fragment",
    "prompt_sets:estimate-fragment", "prompt_sets:results-fragment", "compare:estimate-fragment",
    "bench:estimate-fragment", "bench:progress-fragment",
]  # fmt: skip
# They answer a form or a program, and show nothing of their own.
ACTIONS = [
    "sessions:replay-film",
    "accounts:logout", "agents:first-steps-close", "agents:import-chosen", "agents:refresh", "agents:archive",
    "agents:revive", "agents:last-run", "prompt_sets:from-runs", "prompt_sets:from-session", "prompt_sets:csv",
    "prompt_sets:jsonl",
    "prompt_sets:prompt-remove", "prompt_sets:prompt-move", "prompt_sets:results-csv", "prompt_sets:stop",
    "agents:bulk", "agents:star", "overview:bulk", "overview:view-save", "overview:view-remove",
    "metrics:start-series-start", "metrics:start-series-cancel", "sessions:start",
    "sessions:run", "sessions:invoke", "sessions:rename", "sessions:keep", "sessions:bulk",
    "sessions:restore", "sessions:stop", "sessions:end",
    "sessions:answer", "sessions:unread", "sessions:logs-download", "sessions:agent-logs-download",
    "agents:list-csv", "sessions:list-csv", "overview:runs-csv", "metrics:operate-csv", "sessions:export",
    "sessions:run-export", "sessions:link-revoke", "metrics:latency-check", "compare:again", "compare:stop",
    "compare:stop-runs", "compare:chosen", "compare:targets-csv",
    "metrics:environments-csv", "metrics:environments-end", "metrics:cold-starts-csv",
    "bench:csv", "bench:stop",
    "costs:csv", "costs:budget-new", "costs:budget-delete", "healthz", "readyz", "metrics",
    "api-home", "api-root",
    "alerts:act", "alerts:rule-test", "alerts:notice-resend",
    "aws_accounts:check", "aws_accounts:check-all", "aws_accounts:enable",
]  # fmt: skip
ADMIN_PAGES = ["admin:index", "admin:password_change", "api:openapi-view"]


def names_below(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """Every named address but the administration's and the API's, which name theirs themselves."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"
        elif pattern.namespace not in {"admin", "api"}:
            yield from names_below(pattern, f"{pattern.namespace}:" if pattern.namespace else prefix)


# The timeline of a turn, which Loom fetches where it is opened.
OWN_FOLD = ".turn-state .timeline-fold :is(div, div > span)[hx-get^='/sessions/'][hx-get*='/timeline/']"
# What no text of an agent, a user or AWS may become.
HARMFUL = ", ".join(
    f":is([data-part=transcript], #log-lines, .run-lines .log-list, h1, td, .toast) {selector}"
    for selector in (
        "script", "img", "iframe", "form[action*='evil']", "style", "link", "base", "meta", "math",
        "svg:not([aria-hidden])", "object",
        "[onload]", "[onerror]", "[onclick]", "[onfocus]", "[ontoggle]", "[style]", "a[href^='javascript' i]",
        "a[href^='data' i]", f"[hx-get]:not(.button, .link, [data-widget=follower], {OWN_FOLD})", "[data-hx-post]",
        f"[hx-trigger]:not(.button, [data-widget=follower], {OWN_FOLD})", "[ws-connect]", "#signals",
    )
)  # fmt: skip


@dataclass(frozen=True)
class EvilLoom:
    """A Loom whose every text is an attempt, and the keys of the objects that its pages are about."""

    loom: Loom
    keys: dict[str, Any]
    series: int

    def address(self, name: str) -> str:
        """The whole URL of a named address."""
        resolver = get_resolver()
        for part in name.split(":")[:-1]:
            resolver = resolver.namespace_dict[part][1]
        ((_, arguments),), *_ = resolver.reverse_dict.getlist(name.split(":")[-1])[0]
        others = {
            "metrics:start-series": self.series,
            "overview:rating": self.keys["run"],
            "sessions:queued-prompt": WAITING,
            "alerts:detail": WAITING,
        }
        keys = {**self.keys, "pk": others[name]} if name in others else self.keys
        return self.loom.url + reverse(name, kwargs={argument: keys[argument] for argument in arguments})


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvilLoom]:
    """A Loom with runs of a harmful agent, one of them failed, and attempts in every other text."""
    folder = tmp_path_factory.mktemp("evil")
    settings = {
        "DATABASE_URL": f"sqlite:///{folder / 'loom.db'}",
        "EMULATOR_RUNTIMES": f"evil_agent=cmd:{sys.executable} {ROOT / evil_agent.__file__}",
    }
    with running_loom(folder, **settings) as loom:
        agent = loom.agent_id("evil_agent")
        # Beside the conversations; the list of sessions does not show its own.
        _, series = loom.post(f"/api/agents/{agent}/start-series", {"count": 1, "prompt": EVIL, "max_cost_usd": 1})
        _, beside = loom.post("/api/side-by-side", {"targets": [{"agent_id": agent}], "prompt": EVIL})
        wait_until(lambda: bool(loom.get(f"/api/plans/{beside['id']}")[1]["state"] == "done"), "it has answered")
        for prompt in (EVIL, f"fail {EVIL}"):
            Prompt(loom, agent, prompt).finish()
        session = newest_session_id(loom)
        wait_until(
            lambda: bool(loom.get(f"/api/start-series/{series['id']}")[1]["state"] == "done"), "a series is done"
        )
        _, sessions = loom.get(f"/api/agents/{agent}/sessions")
        runtime_id = next(one["session_id"] for one in sessions if session in one["url"])
        _, shared = loom.post(f"/api/agents/{agent}/sessions/{runtime_id}/links", {})
        poison(loom, folder, session)
        keys = {"pk": agent, "agent_pk": agent, "public_id": session, "number": 1}
        keys["token"] = shared["url"].split("/")[-2]
        keys |= send_prompt_set(loom, agent, EVIL)
        keys["run"] = rows(loom, "agent_sessions.invocation")[0]["pk"]
        keys["comparison_id"] = beside["id"]
        target = {"agent_id": agent}
        against = {"first": target, "second": target, "prompt": EVIL, "rungs": [1], "pairs": 8, "warm_up": 0}
        keys["bench_id"] = loom.post("/api/benches", against)[1]["id"]
        limit = {"scope": "agent", "scope_id": agent, "period": "day", "limit_usd": 100, "name": EVIL[:120]}
        keys["budget_id"] = loom.post("/api/budgets", limit)[1]["id"]
        keys |= {"rule_id": WAITING, "channel_id": WAITING}
        role = "arn:aws:iam::444455556666:role/loom"
        account = {"label": EVIL[:60], "role_arn": role, "regions": ["us-east-1"]}
        keys["account_key"] = loom.post("/api/aws-accounts", account)[1]["id"]
        yield EvilLoom(loom, keys, int(series["id"]))


@pytest.fixture(scope="module")
def shared_page(chromium: Browser) -> Iterator[Page]:
    """One page that visits all addresses: what every page loads is loaded once."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def shared_witness(shared_page: Page) -> Witness:
    return Witness(shared_page)


@pytest.fixture
def witness(shared_witness: Witness) -> Witness:
    shared_witness.complaints.clear()
    return shared_witness


def inspect(witness: Witness, address: str) -> list[str]:
    """Open an address and look at it from all sides."""
    witness.page.goto(address)
    settle(witness.page)
    found = look(witness.page)
    harmed = witness.page.evaluate("String(window.harmed)")
    return [*found, *witness.all_complaints(), *([] if harmed == "undefined" else [f"harmed by {harmed}"])]


def test_every_named_address_is_looked_at() -> None:
    assert sorted(names_below(get_resolver())) == sorted([*PAGES, *FRAGMENTS, *ACTIONS])


@pytest.mark.parametrize("name", [*PAGES, *ADMIN_PAGES])
def test_a_page_is_safe_and_accessible(witness: Witness, evil: EvilLoom, name: str) -> None:
    found = inspect(witness, evil.address(name))
    assert not found, "\n".join(found)


CUT_OFF = """[...document.querySelectorAll('.card')].filter((card) => card.scrollWidth > card.clientWidth)
    .map((card) => `${card.getAttribute('aria-label')}: ${card.scrollWidth} in ${card.clientWidth}`)"""


@pytest.mark.parametrize(
    "name", ["agents:list", "agents:detail", "sessions:list", "metrics:operate", "metrics:start-series"]
)
def test_long_names_leave_room_for_every_column(page: Page, evil: EvilLoom, name: str) -> None:
    page.goto(evil.address(name))
    settle(page)
    page.wait_for_load_state("networkidle")
    for width in (390, 768, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert (width, page.evaluate(CUT_OFF), page.evaluate(SIDEWAYS)) == (width, [], 0)


def test_a_phone_gets_every_invocation_of_a_page(page: Page, evil: EvilLoom) -> None:
    """What it left out would lie between this page and the one that "Older" leads to."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(evil.address("metrics:operate"))
    rows_shown = page.locator(".table-recent tbody tr")
    rows_shown.first.evaluate("(row) => { for (let i = 0; i < 19; i++) row.after(row.cloneNode(true)); }")

    assert page.locator(".table-recent tbody tr:visible").count() == rows_shown.count() > 19


def test_several_agents_are_archived_and_brought_back(page: Page, evil: EvilLoom) -> None:
    witness = Witness(page)

    def looked_at(title: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        settle(page)
        assert [*look(page), *witness.all_complaints()] == []

    page.goto(evil.address("agents:list"))
    settle(page)
    names = page.locator("td.row-title b").all_inner_texts()
    boxes = page.locator("td.row-title input[type=checkbox]")
    page.get_by_label("All on this page").check()
    expect(page.locator("td.row-title input:checked")).to_have_count(len(names))
    expect(page.locator("[data-check-count]")).to_have_text(f"({len(names)})")
    for number in range(2, len(names)):
        boxes.nth(number).uncheck()
    page.get_by_role("button", name="Archive…").click()
    looked_at("Archive these 2 agents?")
    page.get_by_role("button", name="Archive", exact=True).click()
    looked_at("Archive")
    expect(page.get_by_role("status").filter(has_text="2 of 2 done")).to_be_visible()
    assert page.locator("td.row-title a").all_inner_texts() == names[:2]

    page.goto(f"{evil.address('agents:list')}?state=archived")
    expect(page.locator("td.row-title b")).to_have_text(names[:2])
    page.get_by_label("All on this page").check()
    page.locator("#agents-bulk").get_by_role("button", name="Bring back").click()
    looked_at("Bring back")
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Agents")
    page.goto(evil.address("agents:list"))
    expect(page.locator("td.row-title b")).to_have_count(len(names))


# Everything that says of a part that it did not come, also for a moment only.
KEEP_FAILURES = """window.failures = [];
new MutationObserver(() => {
  for (const part of document.querySelectorAll(".failed")) window.failures.push(part.textContent);
}).observe(document, { childList: true, subtree: true });"""


@pytest.mark.parametrize(
    "name", ["agents:list", "agents:detail", "sessions:list", "sessions:logs", "sessions:agent-logs", "sessions:detail"]
)
def test_no_part_is_called_missing_while_it_is_on_its_way(page: Page, evil: EvilLoom, name: str) -> None:
    page.add_init_script(KEEP_FAILURES)
    page.goto(evil.address(name))
    settle(page)
    assert page.evaluate("window.failures") == []


def test_the_slider_of_a_chart_says_where_it_stands_and_what_enter_does(page: Page, evil: EvilLoom) -> None:
    page.goto(evil.address("metrics:operate") + "?measure_start=shown&range=24h")
    slider = page.get_by_role("slider", name="Step of time").first
    steps = page.locator(".chart-plot").first.locator(".chart-step")
    last = steps.last.get_attribute("data-text") or ""
    expect(slider).to_have_attribute("aria-valuenow", str(steps.count()))
    expect(slider).to_have_attribute("aria-valuetext", re.compile(re.escape(last)))
    expect(slider).to_have_attribute("aria-description", re.compile("Enter opens"))
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "1")
    expect(page.locator(".chart-readout").first).to_be_visible()
    slider.press("Enter")
    expect(page).to_have_url(re.compile("range=custom|from="))


def test_a_phone_folds_the_long_cards_of_an_agent(page: Page, evil: EvilLoom) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(evil.address("agents:detail"))
    settle(page)
    heads = page.locator(".card[data-folded] .fold")
    expect(heads).to_have_text(["All figures", "AWS's own metrics", "Facts"])
    assert page.locator(".card[data-folded] > :not(header):visible").count() == 0

    facts, arn = page.get_by_role("button", name="Facts"), page.get_by_role("button", name="Copy ARN")
    expect(facts).to_have_attribute("aria-expanded", "false")
    facts.click()
    expect(facts).to_have_attribute("aria-expanded", "true")
    expect(arn).to_be_visible()
    facts.press("Enter")
    expect(arn).to_be_hidden()

    # A card that is fetched anew stays as it was left.
    page.get_by_role("button", name="AWS's own metrics").click()
    page.locator("#agent-aws-metrics").get_by_role("button", name="7 d").click()
    expect(page.locator("#agent-aws-metrics").get_by_role("button", name="7 d", pressed=True)).to_be_visible()
    expect(heads).to_have_count(2)

    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    expect(page.locator(".fold")).to_have_count(0)
    expect(arn).to_be_visible()


def test_a_link_to_a_folded_card_opens_it(page: Page, evil: EvilLoom) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(evil.address("agents:detail") + "#agent-aws-metrics")
    settle(page)

    expect(page.get_by_role("button", name="AWS's own metrics", expanded=True)).to_be_visible()
    expect(page.locator("#agent-aws-metrics").get_by_role("button", name="7 d")).to_be_visible()


# Text that runs on over its neighbours.
SPILT = """[...document.querySelectorAll('#result_list :is(td, th)')]
    .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => `${cell.className}: ${cell.innerText}`)"""
admin.autodiscover()
ADMINISTERED = {model._meta.label: model._meta for model in admin.site._registry}


@pytest.mark.parametrize("label", sorted(ADMINISTERED))
def test_the_administration_of_a_model_is_safe_and_accessible(witness: Witness, evil: EvilLoom, label: str) -> None:
    """The list of each, and one row of it."""
    model = ADMINISTERED[label]
    found = inspect(witness, evil.loom.url + reverse(f"admin:{model.app_label}_{model.model_name}_changelist"))
    found += [f"over its cell: {cell}" for cell in witness.page.evaluate(SPILT)]
    row = witness.page.locator("#result_list tbody th a").first
    if row.count():
        found += inspect(witness, evil.loom.url + (row.get_attribute("href") or ""))
    assert not found, "\n".join(found)


def harm(witness: Witness) -> list[str]:
    """What has become of the attempts: elements, scripts that ran, complaints of the browser."""
    page = witness.page
    elements: list[str] = page.locator(HARMFUL).evaluate_all("(found) => found.map((element) => element.outerHTML)")
    harmed = page.evaluate("String(window.harmed)")
    return [*elements, *([] if harmed == "undefined" else [harmed]), *witness.all_complaints()]


def test_a_harmful_answer_stays_text_while_it_streams_and_afterwards(page: Page, evil: EvilLoom) -> None:
    """Markup, links, pictures, htmx attributes and events in answers, tool names, log lines and prompts."""
    witness = Witness(page)
    page.goto(evil.address("agents:detail"))
    settle(page)
    page.locator("textarea[name=prompt]").first.fill(f"fail {EVIL}")
    page.get_by_role("button", name="Start session").click()
    answer = page.locator(".answer")
    expect(answer).to_contain_text("That was all.")
    expect(page.locator("article")).to_contain_text("Failed")
    assert harm(witness) == []
    expect(answer).to_contain_text("<script>window.harmed = 'script'</script>")
    expect(answer.locator(".tool-name")).to_contain_text("<script>window.harmed")
    expect(answer.locator("a[href^='https://evil.example/']").first).to_have_attribute(
        "rel", "noopener noreferrer nofollow"
    )

    streamed = answer.inner_text()
    page.reload()
    settle(page)
    assert page.locator(".answer").inner_text() == streamed
    assert harm(witness) == []
    page.get_by_role("link", name="Logs").click()
    settle(page)
    while not page.locator(".log-line").count():  # CloudWatch is late by seconds
        page.get_by_role("button", name="Check again").last.click()
        expect(page.locator("#log-lines[aria-busy], .htmx-request")).to_have_count(0)
    expect(page.locator(".log-list")).to_contain_text("<script>window.harmed")
    assert harm(witness) == []
    assert [path for path in witness.requests if "evil" in path] == []
