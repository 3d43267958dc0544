"""What developers of agents come for, done as they would, each with as few clicks as it takes.

Typing is no click. A job begins on the list of agents, or on the page of a session where it is about a run one reads.
Jobs with tests of their own: the keyboard (`test_browser_keyboard`), a phone (`test_browser_pages`), many runtimes at
once (the import of `apps/agentcore`).
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import choose_target, settle
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, newest_session_id

pytestmark = pytest.mark.browser
QUICK, TALKER = "sentiment_scorer", "travel_concierge"


class Hand:
    """Clicks, and counts."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.clicks = 0

    def click(self, what: Locator) -> None:
        what.click()
        self.clicks += 1

    def go(self, entry: str) -> None:
        """Follow an entry of the navigation."""
        link = self.page.get_by_role("navigation", name="Main").get_by_role("link", name=entry, exact=True)
        self.click(link)
        expect(link).to_have_attribute("aria-current", "page")  # and not what stood on the page before


@pytest.fixture
def hand(page: Page, loom: Loom) -> Hand:
    page.goto(loom.url)
    return Hand(page)


def a_run(loom: Loom, prompt: str, agent: str = QUICK) -> str:
    """The public id of a new session with a finished run."""
    Prompt(loom, loom.agent_id(agent), prompt).finish()
    return newest_session_id(loom)


def open_menu(hand: Hand, loom: Loom, session: str) -> Locator:
    """The entries of the first turn's menu, which are fetched when it is opened."""
    hand.page.goto(f"{loom.url}/sessions/{session}/")
    settle(hand.page)
    hand.click(hand.page.get_by_label("What can be done with invocation 1"))
    return hand.page.locator("article .menu-list").first


def test_why_a_run_failed_is_two_clicks_away_and_its_line_in_the_log_a_third(hand: Hand, loom: Loom) -> None:
    loom.emulator.order(
        kind="error", operation="InvokeAgentRuntime", code="RuntimeClientError", status=424, message="It broke."
    )
    session = a_run(loom, "This one goes wrong")
    hand.go("Runs")
    hand.click(hand.page.locator(f"tbody a.row-link[href*='{session}']"))
    alert = hand.page.locator("article").get_by_role("alert")
    expect(alert).to_be_visible()
    assert hand.clicks == 2
    hand.click(alert.get_by_role("link", name="Show its log at this moment"))
    expect(hand.page.locator(".run-log[open]")).to_be_visible()
    assert hand.clicks == 3


def test_an_old_run_is_found_by_its_words(hand: Hand, loom: Loom) -> None:
    session = a_run(loom, "The heron of Damme")
    a_run(loom, "Something else")
    wait_until(lambda: bool(loom.get("/api/runs?q=heron+damme")[1]["items"]), "its words are found")  # by a task
    hand.go("Runs")
    hand.page.get_by_role("searchbox").first.fill("heron damme")
    rows = hand.page.locator("tbody tr")
    expect(rows).to_have_count(1)
    hand.click(rows.locator("a.row-link"))
    expect(hand.page).to_have_url(re.compile(session))
    assert hand.clicks == 2


def test_a_prompt_of_the_past_is_sent_again(hand: Hand, loom: Loom) -> None:
    entries = open_menu(hand, loom, a_run(loom, "Once more"))
    hand.click(entries.get_by_role("button", name=re.compile("^Run again here")))
    expect(hand.page.locator("article .prompt")).to_have_text(["Once more", "Once more"])
    expect(hand.page.locator("article").nth(1)).to_contain_text("Completed")
    assert hand.clicks == 2


def test_a_run_is_copied_as_curl(hand: Hand, loom: Loom) -> None:
    hand.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    entries = open_menu(hand, loom, a_run(loom, "As a command"))
    hand.click(entries.get_by_role("link", name="Take it out…"))
    hand.click(hand.page.get_by_role("button", name=re.compile("^Copy curl", re.IGNORECASE)))
    expect(hand.page.locator("#announcer")).to_contain_text("copied")
    copied = hand.page.evaluate("navigator.clipboard.readText()")
    assert re.search("^ *(printf|curl) ", copied, re.MULTILINE) and "As a command" in copied
    assert hand.clicks == 3


def test_a_session_is_exported(hand: Hand, loom: Loom) -> None:
    hand.page.goto(f"{loom.url}/sessions/{a_run(loom, 'Keep this')}/")
    hand.click(hand.page.get_by_role("link", name="Export", exact=True))
    with hand.page.expect_download() as download:
        hand.click(hand.page.locator("main").get_by_role("link", name="Markdown").first)
    assert "Keep this" in download.value.path().read_text()
    assert hand.clicks == 2


def test_a_session_is_shared_with_who_has_no_account(hand: Hand, loom: Loom) -> None:
    hand.page.goto(f"{loom.url}/sessions/{a_run(loom, 'For a colleague')}/")
    hand.click(hand.page.get_by_role("link", name="Export", exact=True))
    hand.click(hand.page.get_by_role("button", name="Make a link"))
    address = hand.page.locator(".shared-once [data-copy]").get_attribute("data-copy")
    assert hand.clicks == 2 and address is not None
    stranger = hand.page.context.browser.new_context()  # type: ignore[union-attr]
    theirs = stranger.new_page()
    theirs.goto(address)
    expect(theirs.locator("body")).to_contain_text("For a colleague")
    stranger.close()


def test_the_slowest_agent_is_found(hand: Hand, loom: Loom) -> None:
    for agent in (QUICK, TALKER):
        a_run(loom, "How long does it take?", agent)
    hand.go("Overview")
    agents = hand.page.get_by_role("region", name="Agents")
    hand.click(agents.get_by_role("link", name="TTFT cold"))
    expect(agents.get_by_role("columnheader", name="TTFT cold")).to_have_attribute("aria-sort", "descending")
    expect(agents.locator("tbody tr").first.locator("[data-label='TTFT cold']")).to_have_text(re.compile(r"\d m?s"))
    assert hand.clicks == 2


def test_what_a_run_cost_stands_beside_its_answer(hand: Hand, loom: Loom) -> None:
    hand.page.goto(f"{loom.url}/sessions/{a_run(loom, 'What does this cost?')}/")
    expect(hand.page.locator("article .turn-state")).to_contain_text(re.compile(r"cost|no price"))
    assert hand.clicks == 0


def test_one_prompt_is_sent_to_two_agents(hand: Hand, loom: Loom) -> None:
    hand.click(hand.page.get_by_label("New", exact=True))
    hand.click(hand.page.get_by_role("link", name="Comparison"))
    hand.page.get_by_label("Prompt").fill("Two days in Ghent")
    for number, name in enumerate((QUICK, TALKER), 1):
        choose_target(hand.page, f"Target {number}", name)
    hand.click(hand.page.get_by_role("button", name="Send to all"))
    expect(hand.page.locator(".beside-column .turn-state .badge")).to_have_text(["Completed", "Completed"])
    assert hand.clicks == 3


def test_two_versions_are_compared_by_the_endpoints_that_lead_to_them(hand: Hand, loom: Loom) -> None:
    hand.click(hand.page.get_by_label("New", exact=True))
    hand.click(hand.page.get_by_role("link", name="Comparison"))
    hand.page.get_by_label("Prompt").fill("Two days in Ghent")
    for number, endpoint in enumerate(("DEFAULT", "prod"), 1):
        choose_target(hand.page, f"Target {number}", TALKER, endpoint)
    hand.click(hand.page.get_by_role("button", name="Send to all"))
    rows = hand.page.locator("#figures tbody tr")
    expect(rows.locator(".row-state")).to_have_text(["Completed", "Completed"])
    named = [re.search(r"(DEFAULT|prod) · version (\d+)", text) for text in rows.all_inner_texts()]
    assert len({found[2] for found in named if found}) == len({found[1] for found in named if found}) == 2
    expect(hand.page.locator(".diff-text")).to_be_visible()
    assert hand.clicks == 3


def test_how_a_cold_start_is_measured_twenty_times_is_two_clicks_away(hand: Hand, loom: Loom) -> None:
    """What it costs is said before it is started; that it measures is tested with start series."""
    hand.page.goto(f"{loom.url}/agents/{loom.agent_id(TALKER)}/")
    hand.click(hand.page.get_by_role("link", name="Measure", exact=True))
    start = hand.page.get_by_role("button", name=re.compile("^(Start|Measure)"))
    expect(start.first).to_be_visible()
    assert hand.page.locator("input[name=count], input[name=pair_count]").first.input_value() == "20"
    assert hand.clicks == 1
