"""Where a run's time went, opened below its answer; and what to expect of a start, while a page waits for it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from loom.tests.fixtures import Loom
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, newest_session_id

pytestmark = pytest.mark.browser


def test_a_timeline_is_opened_by_keyboard_and_shows_tools_and_the_whole_time(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("inventory_analyst"), "What is low?").finish()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "timeline" in request.url else None)
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    expect(page.locator("article")).to_contain_text("Completed")
    assert asked == []  # closed, it costs nothing
    page.locator(".timeline-fold summary").focus()
    page.keyboard.press("Enter")
    rows = page.locator(".timeline-rows")
    expect(rows).to_contain_text("query_stock")
    expect(rows).to_contain_text("Answer")
    expect(page.locator(".timeline-rows > li").first).to_have_css("display", "grid")
    assert page.locator("rect.bar").count() >= 4
    page.locator(".timeline-table summary").press("Enter")
    expect(page.get_by_role("row", name=re.compile("^Together"))).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_the_agent_s_own_spans_stand_in_it_once_cloudwatch_has_them(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("inventory_analyst"), "What is low?").finish()
    address = f"{loom.url}/sessions/{newest_session_id(loom)}/timeline/1/"
    wait_until(lambda: "invoke_agent" in page.request.get(address).text(), "the spans were fetched")
    page.goto(address)
    rows = page.locator(".timeline-rows > li")
    tool = rows.filter(has_text="execute_tool query_stock")
    expect(tool).to_have_count(1)
    expect(rows.filter(has_text="query_stock")).to_have_count(1)  # the recording has the same call
    expect(tool).to_have_class("depth-3")
    expect(tool.locator(".bar-told")).to_have_count(1)
    expect(rows.filter(has_text="POST /invocations").locator(".bar-range")).to_have_count(1)
    expect(page.get_by_text("told by the agent’s clock")).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_cold_start_that_takes_long_says_what_is_usual(page: Page, loom: Loom) -> None:
    agent = loom.agent_id("travel_concierge")
    for _ in range(6):
        Prompt(loom, agent, "Two days in Ghent").finish()
    loom.emulator.order(kind="silence", after_chunks=0, seconds=3_600)
    page.goto(f"{loom.url}/sessions/new/?agent={agent}")
    page.get_by_label("Prompt").first.fill("Two days in Ghent")
    page.keyboard.press("Enter")
    waiting = page.locator(".waiting")
    expect(waiting).to_contain_text(re.compile(r"cold; usually [\d.]+ m?s – [\d.]+ m?s here \(n = \d+\)"))
    loom.emulator.clear()  # it may not have come to be silent yet
    loom.emulator.end_silences()
    expect(page.locator("article")).to_contain_text("Completed")
    expect(page.locator(".waiting:visible")).to_have_count(0)


def test_an_open_timeline_shows_the_spans_once_they_come_and_leaves_open_what_is_open(page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id('inventory_analyst')}")
    page.get_by_label("Prompt").first.fill("What is low?")
    page.get_by_label("Prompt").first.press("Enter")
    page.locator(".timeline-fold summary").click()
    expect(page.locator(".timeline-rows")).to_contain_text("query_stock")
    page.locator(".timeline-table summary").click()
    expect(page.locator(".timeline-rows")).to_contain_text("execute_tool query_stock", timeout=30_000)
    expect(page.get_by_role("row", name=re.compile("^Together"))).to_be_visible()
