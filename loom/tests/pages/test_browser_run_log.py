"""The log of a run beside its conversation: opened, followed, and one click from an error to its line."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, look, settle
from loom.tests.visiting import Prompt, newest_session_id

pytestmark = pytest.mark.browser

LINES = ".run-lines .log-line"
LINES_BEFORE_SILENCE = 3
IS_AT_END = "(list) => list.scrollTop + list.clientHeight >= list.scrollHeight - 24"


def open_log_of_silent_run(page: Page, loom: Loom) -> None:
    """A run that has written some lines, and writes more of them once its silence is ended."""
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id('claims_intake')}")
    loom.emulator.order(kind="silence", after_chunks=2, seconds=3_600)
    page.get_by_label("Prompt").first.fill("A claim")
    page.keyboard.press("Enter")
    page.locator(".run-log summary").first.click()
    expect(page.locator(LINES)).to_have_count(LINES_BEFORE_SILENCE)


def test_it_is_opened_by_keyboard_and_closed_it_asks_for_nothing(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    Prompt(loom, loom.agent_id("inventory_analyst"), "What is low?").finish()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/logs" in request.url else None)
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    expect(page.locator("article")).to_contain_text("Completed")
    assert asked == []

    page.locator(".run-log summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(LINES).first).to_be_visible()
    expect(page.locator(".run-lines .log-level").first).to_have_text(re.compile(r"INFO|DEBUG|·"))
    assert page.evaluate("document.activeElement.id").startswith("run-log-head-")
    settle(page)
    assert [*look(page), *witness.all_complaints()] == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate(SIDEWAYS) == 0

    page.locator(".run-log > summary").press("Enter")
    expect(page.locator(LINES).first).to_be_hidden()


def test_what_is_opened_before_the_page_is_ready_is_filled_when_it_is(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("inventory_analyst"), "What is low?").finish()
    held: list[Route] = []
    page.route("**/htmx*.js", lambda route: held.append(route))
    with page.expect_request("**/htmx*.js"):
        page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/", wait_until="commit")
    page.locator(".run-log summary").first.click()
    expect(page.locator(".run-log")).to_have_attribute("open", "")
    held[0].continue_()
    expect(page.locator(LINES).first).to_be_visible()


def test_an_error_is_one_click_away_from_its_line(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("claims_intake"), "A claim").finish()
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    page.get_by_role("link", name="Show its log at this moment").click()
    marked = page.locator(".run-lines .is-marked")
    expect(marked).to_be_in_viewport()
    expect(marked).to_be_focused()
    expect(marked).to_contain_text("Traceback (most recent call last)")
    expect(page.locator(".run-lines .log-notice")).to_contain_text("the error nearest to its end")


def test_the_lines_follow_a_run_and_the_newest_stay_in_view(page: Page, loom: Loom) -> None:
    open_log_of_silent_run(page, loom)
    loom.emulator.end_silences()
    expect(page.locator(LINES)).not_to_have_count(LINES_BEFORE_SILENCE)
    assert page.locator(".run-lines .log-list").evaluate(IS_AT_END)


def test_nothing_moves_for_who_reads_further_up(page: Page, loom: Loom) -> None:
    open_log_of_silent_run(page, loom)
    lines = page.locator(".run-lines .log-list")
    page.set_viewport_size({"width": 1280, "height": 120})  # three lines are more than it has room for
    top = lines.evaluate("(list) => (list.scrollTop = 7)")
    assert not lines.evaluate(IS_AT_END)

    loom.emulator.end_silences()
    expect(page.locator(LINES)).not_to_have_count(LINES_BEFORE_SILENCE)
    assert lines.evaluate("(list) => list.scrollTop") == top
