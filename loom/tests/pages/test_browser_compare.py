"""Runs side by side in a browser: one prompt to several agents, as it streams, on a phone, and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import DESKTOP, PHONE, Witness, choose_target, look, settle
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt

pytestmark = pytest.mark.browser
AGENTS = ("travel_concierge", "code_tutor")
COUNT_SOCKETS = """window.sockets = 0;
const Own = window.WebSocket;
window.WebSocket = class extends Own {
  constructor(...given) {
    super(...given);
    window.sockets += 1;
    this.addEventListener("close", () => { window.sockets -= 1; });
  }
};"""


def fill(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt").fill(prompt)
    for number, name in enumerate(AGENTS, 1):
        choose_target(page, f"Target {number}", name)


def hold_answers(loom: Loom) -> None:
    """Each agent begins to answer, and goes on when silences are ended."""
    for _ in AGENTS:
        loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)


def expect_begun(page: Page) -> None:
    """Both have begun, and with them what was ordered is used up."""
    spoken = page.locator(".beside-column").filter(has=page.locator(".answer .md", has_text=re.compile(r"\w{3}")))
    expect(spoken).to_have_count(2)


def open_finished(page: Page, loom: Loom) -> list[int]:
    """Put two finished runs side by side; return their keys."""
    runs = [Prompt(loom, loom.agent_id(name), "Two days in Ghent").finish() for name in AGENTS]
    _, listed = loom.get("/api/runs?limit=2")
    keys = [run["id"] for run in reversed(listed["items"])]
    assert len(runs) == len(keys) == 2
    page.goto(f"{loom.url}/compare/?runs={keys[0]},{keys[1]}")
    settle(page)
    return keys


def test_a_prompt_streams_in_columns_and_what_differs_comes_by_itself(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    page.add_init_script(COUNT_SOCKETS)
    page.goto(f"{loom.url}/operate/")
    page.get_by_role("navigation", name="Operate").get_by_role("link", name="Compare").click()
    page.get_by_role("link", name="New comparison").first.click()
    fill(page, "Two days in Ghent")
    expect(page.locator("#compare-estimate")).to_contain_text("Up to $")
    hold_answers(loom)  # what is over when the page comes is not told any more
    page.get_by_role("button", name="Send to all").click()

    columns = page.locator(".beside-column")
    expect_begun(page)
    loom.emulator.end_silences()
    expect(columns.locator(".turn-state .badge")).to_have_text(["Completed", "Completed"])
    expect(page.locator("#figures .row-state")).to_have_text(["Completed", "Completed"])
    expect(page.locator(".diff-text")).to_contain_text("only in 1")
    told = page.locator("#beside-reading p")
    expect(told).to_have_count(2)
    expect(told.first).to_contain_text("Answer complete")
    expect(page.get_by_role("button", name="Stop all")).to_have_count(0)
    wait_until(lambda: page.evaluate("sockets") == 0, "sockets are closed")  # each column has let go of its connection
    settle(page)
    assert [*look(page), *witness.all_complaints()] == []

    streamed = columns.first.locator(".answer").inner_text()
    page.reload()
    expect(columns.first.locator(".answer")).to_have_text(streamed, use_inner_text=True)


def test_all_are_stopped_and_sent_again_by_a_button_each(page: Page, loom: Loom) -> None:
    hold_answers(loom)
    page.goto(f"{loom.url}/compare/new/")
    fill(page, "Tell me everything")
    page.get_by_role("button", name="Send to all").click()
    expect_begun(page)
    page.get_by_role("button", name="Stop all").click()
    expect(page.locator(".turn-state .badge")).to_have_text(["Stopped", "Stopped"])

    address = page.url
    page.get_by_role("button", name="Send again").click()
    expect(page).not_to_have_url(address)
    expect(page.locator(".turn-state .badge")).to_have_text(["Completed", "Completed"])
    page.goto(f"{loom.url}/compare/")
    expect(page.locator("tbody .row-link").first).to_contain_text("Tell me everything")


def test_the_log_of_a_run_that_failed_is_a_page_of_its_own(page: Page, loom: Loom) -> None:
    """Beside a conversation it is fetched below it; here there is none."""
    loom.emulator.order(
        kind="error", operation="InvokeAgentRuntime", code="RuntimeClientError", status=424, message="It broke."
    )
    open_finished(page, loom)
    page.get_by_role("link", name="Show its log at this moment").first.click()
    expect(page).to_have_url(re.compile("/logs/"))


def test_which_two_are_compared_is_chosen_without_a_reload(page: Page, loom: Loom) -> None:
    keys = open_finished(page, loom)
    first = page.locator(".diff-text").inner_text()
    page.get_by_label("From").select_option("2")
    page.get_by_label("to", exact=True).select_option("1")
    expect(page.locator(".diff-text del").first).to_contain_text("only in 2")
    assert page.locator(".diff-text").inner_text() != first
    expect(page).to_have_url(re.compile(f"runs={keys[0]}%2C{keys[1]}&first=2&second=1"))  # which can be linked


def test_runs_that_are_checked_in_the_list_are_put_side_by_side(page: Page, loom: Loom) -> None:
    keys = open_finished(page, loom)
    page.goto(f"{loom.url}/runs/")
    for box in page.locator("td.row-title input[type=checkbox]").all()[:2]:
        box.check()
    page.locator("#runs-bulk").get_by_role("button", name="Compare").click()
    expect(page.locator(".beside-column")).to_have_count(2)
    runs = page.locator(".beside-column").evaluate_all("(found) => found.map((one) => Number(one.dataset.run))")
    assert sorted(runs) == sorted(keys)


def test_on_a_phone_columns_stand_below_each_other_and_a_picker_stays(page: Page, loom: Loom) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    open_finished(page, loom)
    picker = page.get_by_role("navigation", name="Parts of this page")
    lefts = page.locator(".beside-column").evaluate_all("(found) => found.map((one) => one.offsetLeft)")
    assert len(set(lefts)) == 1
    picker.get_by_role("link", name="Differences").click()
    expect(page.locator("#differences-card")).to_be_in_viewport()
    expect(picker).to_be_in_viewport()
    picker.get_by_role("link", name=re.compile(AGENTS[1])).click()
    expect(page.locator("#column-2 h2")).to_be_in_viewport()
    assert look(page) == []
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    expect(picker).to_be_hidden()


def test_without_scripts_a_prompt_is_sent_and_its_answers_are_there_after_a_reload(
    chromium: Browser, loom: Loom
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{loom.url}/compare/new/")
    page.get_by_label("Prompt").fill("Two days in Ghent")
    for number in (1, 2):
        page.get_by_label(f"Target {number}").select_option(f"{loom.agent_id(AGENTS[0])}:DEFAULT")
    page.get_by_role("button", name="Send to all").click()
    expect(page.get_by_text("This target is chosen already")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value("Two days in Ghent")
    page.get_by_label("Target 2").select_option(f"{loom.agent_id(AGENTS[1])}:DEFAULT")
    page.get_by_role("button", name="Send to all").click()
    badges = page.locator("#figures .row-state .badge")
    while badges.all_inner_texts() != ["Completed", "Completed"]:
        page.reload()
    page.get_by_label("From").select_option("2")
    page.get_by_label("to", exact=True).select_option("1")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".diff-text del").first).to_contain_text("only in 2")
    context.close()
