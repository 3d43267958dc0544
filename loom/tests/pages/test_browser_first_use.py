"""From nothing to a measured start in headless Chromium, counting clicks; and an agent's pages without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, look, settle

pytestmark = pytest.mark.browser
LOGS_TIMEOUT_MS = 150_000


def test_one_click_from_home_to_the_first_token_and_none_more_to_the_measured_start(page: Page, loom: Loom) -> None:
    page.add_init_script(
        "addEventListener('click', () => sessionStorage.clicks = 1 + Number(sessionStorage.clicks ?? 0), true)"
    )
    page.goto(loom.url)
    steps = page.get_by_role("region", name=re.compile("demo agents are answering on this machine"))
    expect(steps.get_by_role("listitem")).to_have_count(5)
    steps.get_by_role("button", name="Send this prompt").click()

    expect(page.locator(".answer")).to_contain_text("You asked")
    expect(page.locator("[data-part=latency]")).to_contain_text(
        re.compile("cold: (created|pooled)"), timeout=LOGS_TIMEOUT_MS
    )
    expect(page.locator("[data-part=latency]")).to_contain_text("by causality", timeout=LOGS_TIMEOUT_MS)
    assert page.evaluate("Number(sessionStorage.clicks)") <= 2

    page.goto(loom.url)
    done = steps.get_by_role("listitem").filter(has_text="Done:")
    for step in ("Send a prompt to an agent", "See its cold start measured"):
        expect(done.filter(has_text=step)).to_have_count(1)
    steps.get_by_role("button", name="Close for good").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Agents")
    expect(steps).to_have_count(0)
    page.context.clear_cookies()  # it is not the browser that remembers
    page.goto(loom.url)
    expect(steps).to_have_count(0)


TABS = ["Overview", "Sessions", "Runs", "Measure", "Versions", "Logs", "Settings"]


def test_every_side_of_an_agent_has_an_address_and_one_heading(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    agent = loom.agent_id("code_tutor")
    page.goto(f"{loom.url}/agents/{agent}/")
    tabs = page.get_by_role("navigation", name="Agent", exact=True)
    assert tabs.get_by_role("link").all_inner_texts() == TABS
    for name in TABS:
        tabs.get_by_role("link", name=name).click()
        expect(tabs.locator("[aria-current=page]")).to_have_text(name)
        settle(page)
        expect(page.get_by_role("heading", level=1)).to_have_text("code_tutor")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert [*look(page), *witness.all_complaints(), page.evaluate(SIDEWAYS)] == [0]
        page.set_viewport_size({"width": 1280, "height": 900})
    # The last place that one comes from is where refreshing leads back to.
    with page.expect_navigation():
        page.get_by_role("button", name="Refresh").click()
    expect(tabs.locator("[aria-current=page]")).to_have_text("Settings")


def test_the_sides_of_an_agent_work_without_scripts(chromium: Browser, loom: Loom) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    agent = loom.agent_id("code_tutor")
    page.goto(f"{loom.url}/agents/{agent}/sessions/")
    expect(page.get_by_text(re.compile("No (sessions|conversations) with this agent yet|As CSV")).first).to_be_visible()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("link", name="Ask AWS for its versions").click()
    expect(page.locator("#agent-versions table")).to_be_visible()
    page.get_by_role("link", name="Measure").click()
    page.get_by_label("Prompt").fill("Explain generators")
    page.get_by_label("Sessions", exact=True).fill("1")
    page.get_by_label("Highest cost, USD").fill("0.0001")
    page.get_by_role("button", name="Measure start").click()
    expect(page.get_by_role("alert")).to_contain_text("which is more than $0.0001")
    expect(page.get_by_label("Prompt")).to_have_value("Explain generators")
    context.close()
