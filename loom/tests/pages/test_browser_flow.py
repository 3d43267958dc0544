"""A newcomer's first minute in headless Chromium, against a whole Loom of real processes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import ConsoleMessage, Page, Response, expect

from loom.tests.fixtures import Loom

pytestmark = pytest.mark.browser
LOGS_TIMEOUT_MS = 150_000


@pytest.fixture
def complaints(page: Page, loom: Loom) -> Iterator[list[str]]:
    """What the browser complained of: console errors, failed answers, requests that left the machine."""
    found: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(f"console: {message.text}")

    def on_response(response: Response) -> None:
        if response.status >= 400 or not response.url.startswith((loom.url, "data:")):
            found.append(f"{response.status} {response.url}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    page.on("response", on_response)
    yield found
    assert found == []


def test_a_newcomer_sees_tokens_arrive_and_reads_the_startup_latency(
    page: Page, loom: Loom, complaints: list[str]
) -> None:
    """S0-108, S0-109, S0-121."""
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)  # it pauses until it was looked at
    page.goto(loom.url)
    expect(page.get_by_role("heading", level=1, name="Agents")).to_be_visible()
    page.get_by_role("link", name=re.compile("^travel_concierge")).click()
    page.get_by_placeholder("Ask the agent…").fill("Two days in Ghent")
    page.get_by_role("button", name="Start session").click()

    output = page.locator(".answer")
    expect(output).to_contain_text("You asked")
    session_id = loom.get(f"/api/agents/{loom.agent_id('travel_concierge')}/sessions?limit=1")[1][0]["session_id"]
    expect(page.locator(f'[data-copy="{session_id}"]').first).to_be_visible()
    expect(page.locator("[data-part=latency] dd").first).to_contain_text(re.compile(r"\d m?s"))  # TTFT, while it speaks
    begun = output.inner_text()
    expect(page.locator(".is-running")).to_have_count(1)
    loom.emulator.end_silences()
    expect(page.locator("article")).to_contain_text("Completed")
    assert len(output.inner_text()) > len(begun)  # it grew before the reader's eyes
    panel = page.locator("[data-part=latency]")
    expect(panel).to_contain_text("Time to first token")
    expect(panel).to_contain_text(
        re.compile(r"\d(\.\d+)? m?s – \d+(\.\d+)? m?s, by causality"), timeout=LOGS_TIMEOUT_MS
    )
    expect(panel).to_contain_text("SDK log line")
    expect(panel).to_contain_text(re.compile("cold: (created|pooled)"))
    expect(page.get_by_role("region", name="Latency").get_by_text("Emulated")).to_be_visible()


def test_a_second_prompt_goes_over_the_socket_and_a_reload_shows_the_same(
    page: Page, loom: Loom, complaints: list[str]
) -> None:
    page.goto(loom.url)
    page.get_by_role("link", name=re.compile("^travel_concierge")).click()
    page.get_by_placeholder("Ask the agent…").fill("Two days in Ghent")
    page.get_by_role("button", name="Start session").click()
    expect(page.locator("article")).to_contain_text("Completed")
    composer = page.get_by_placeholder("Message the agent…")
    composer.fill("And on Sunday?")
    composer.press("Enter")

    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    before = page.locator("[data-part=transcript]").inner_text()
    page.reload()
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    assert page.locator("[data-part=transcript]").inner_text() == before


def test_stop_keeps_what_had_arrived_and_a_second_tab_sees_it(page: Page, loom: Loom, complaints: list[str]) -> None:
    loom.emulator.order(kind="silence", after_chunks=30, seconds=3_600)
    page.goto(loom.url)
    page.get_by_role("link", name=re.compile("^code_tutor")).click()
    page.get_by_placeholder("Ask the agent…").fill("Explain generators")
    page.get_by_role("button", name="Start session").click()
    expect(page.locator(".answer .md").last).not_to_be_empty()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("button", name="Stop")).to_be_visible()
    other.get_by_role("button", name="Stop").click()

    for tab in (page, other):
        expect(tab.locator("article")).to_contain_text("Stopped")
        expect(tab.get_by_role("button", name="Send", exact=True)).to_be_visible()
    assert page.locator(".answer").inner_text() == other.locator(".answer").inner_text() != ""
