"""What is typed while an answer comes, and prompts that are sent again, in a browser and by its keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, axe_findings, choose_target, settle

pytestmark = pytest.mark.browser
# What is told is told from the first message on; what happened before stands on the page.
KEEP_FIRST_MESSAGE = """window.WebSocket = class extends WebSocket {
  constructor(...address) {
    super(...address);
    this.addEventListener("message", () => (document.documentElement.dataset.told = ""));
  }
};"""


@pytest.fixture
def witness(page: Page) -> Witness:
    return Witness(page)


def begin(page: Page, loom: Loom) -> None:
    """A session that answers and does not come to an end."""
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id('travel_concierge')}")
    page.locator("textarea[name=prompt]").fill("Two days in Ghent")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("Ghent")
    settle(page)


def tab_beside(page: Page) -> Page:
    """Another tab with the same session, which is told what happens from now on."""
    other = page.context.new_page()
    other.add_init_script(KEEP_FIRST_MESSAGE)
    other.goto(page.url)
    expect(other.locator("html[data-told]")).to_have_count(1)
    return other


def queue(page: Page, *prompts: str) -> None:
    """Type them behind what waits already."""
    for number, prompt in enumerate(prompts, page.locator("ol.ahead li").count() + 1):
        page.locator("[data-part=prompt]").fill(prompt)
        page.keyboard.press("Enter")
        expect(page.locator("ol.ahead li")).to_have_count(number)
        expect(page.locator("[data-part=prompt]")).to_have_value("")


def test_what_is_typed_while_an_answer_comes_waits_in_every_tab_and_escape_stops_and_holds_it(
    page: Page, loom: Loom, witness: Witness
) -> None:
    begin(page, loom)
    other = tab_beside(page)
    queue(page, "First", "Second", "Third")
    waiting = other.locator("ol.ahead .excerpt")
    expect(waiting).to_have_text(["First", "Second", "Third"])
    page.get_by_role("button", name="Send prompt 3 earlier").press("Enter")
    for shown in (waiting, page.locator("ol.ahead .excerpt")):
        expect(shown).to_have_text(["First", "Third", "Second"])
    page.get_by_role("button", name="Remove prompt 1").press("Enter")
    expect(waiting).to_have_text(["Third", "Second"])
    expect(page.locator("ol.ahead .excerpt")).to_have_text(["Third", "Second"])
    page.route("**/turns*.js", lambda route: None)  # what is fetched once the page is shown is not there yet
    page.reload()
    expect(page.locator("ol.ahead .excerpt")).to_have_text(["Third", "Second"])

    page.locator("[data-part=prompt]").press("Escape")
    expect(page.locator("article").first).to_contain_text("Stopped")
    expect(other.locator("[data-part=ahead]")).to_contain_text("2 prompts are held, because the answer was stopped.")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate(SIDEWAYS) == 0
    page.get_by_role("button", name="Send the next").press("Enter")
    for number, prompt in enumerate(("Third", "Second"), 1):
        expect(other.locator("article").nth(number).locator(".prompt")).to_have_text(prompt)
        expect(other.locator("article").nth(number)).to_contain_text("Completed")
    expect(page.locator("ol.ahead")).to_have_count(0)
    assert witness.all_complaints() == []


def test_what_changes_while_the_list_is_fetched_is_fetched_behind_it(page: Page, loom: Loom) -> None:
    begin(page, loom)
    other = tab_beside(page)
    held: list[Route] = []
    other.route("**/queue/", lambda route: held.append(route), times=1)
    with other.expect_request("**/queue/"):
        queue(page, "First")
    answer = held[0].fetch()  # of before the others
    queue(page, "Second", "Third")
    held[0].fulfill(response=answer)
    expect(other.locator("ol.ahead .excerpt")).to_have_text(["First", "Second", "Third"])
    page.locator("[data-part=prompt]").press("Escape")
    expect(page.locator("article").first).to_contain_text("Stopped")


def test_a_prompt_is_sent_again_from_its_turn(page: Page, loom: Loom, witness: Witness) -> None:
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id('travel_concierge')}")
    page.locator("textarea[name=prompt]").fill("Two days in Bruges")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_contain_text("Completed")
    settle(page)
    held: list[Route] = []
    page.route("**/rating/?compact", lambda route: held.append(route), times=1)
    opener, entries = page.locator("article .menu summary").first, page.locator("article .menu-list").first
    opener.press("Enter")
    expect(entries.get_by_role("button", name="Copy prompt")).to_be_focused()
    settle(page)
    assert axe_findings(page) == []
    page.keyboard.press("ArrowDown")
    held[0].continue_()
    expect(entries.locator("form[id^=rating]")).to_be_visible()  # later than the rest
    expect(entries.get_by_role("button", name="Run again here")).to_be_focused()
    page.keyboard.press("Escape")
    expect(entries).not_to_be_visible()
    expect(opener).to_be_focused()

    opener.click()
    entries.get_by_role("link", name="Edit and run").click()
    dialog = page.get_by_role("dialog", name="Run again")
    expect(dialog.get_by_role("button", name="Run again here")).to_be_visible()
    settle(page)
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()

    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    opener.click()
    for entry in entries.locator("a, button").all():
        expect(entry).to_be_in_viewport(ratio=1)
    assert page.evaluate(SIDEWAYS) == 0
    entries.get_by_role("button", name="Run again here").click()
    expect(page.locator("article").nth(1)).to_contain_text("Repeated from run 1")
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    settle(page)
    page.locator("article .menu summary").nth(1).click()
    page.locator("article .menu-list").nth(1).get_by_role("link", name="Run on another agent").click()
    dialog.get_by_label("Prompt", exact=True).fill("Three days in Bruges")
    choose_target(dialog, "Agent and endpoint", "travel_concierge", "prod")
    dialog.get_by_role("button", name="Run in a new session").click()
    expect(page.locator("article .prompt")).to_have_text("Three days in Bruges")
    expect(page.locator(".title-line .chip")).to_have_text("prod")
    assert witness.all_complaints() == []
