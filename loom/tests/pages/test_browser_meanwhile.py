"""What is done while a page comes or changes counts all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import settle
from loom.tests.running import wait_until

pytestmark = pytest.mark.browser
POLLED = """() => {
  const main = document.getElementById("main");
  main.innerHTML = `<section id="polled" hx-get="/agents/" hx-trigger="every 50ms" hx-select="h1" hx-swap="outerHTML">
    <button type="button">Pressed</button></section>`;
  window.heard = window.came = 0;
  main.addEventListener("click", () => { window.heard += 1; });
  document.addEventListener("htmx:beforeSwap", () => { window.came += 1; });
}"""


@contextmanager
def before_htmx(page: Page, address: str) -> Iterator[None]:
    """A page that is shown while htmx is on the way, which arrives at the end of the block."""
    held: list[Route] = []
    page.route("**/htmx*.js", lambda route: held.append(route))
    with page.expect_request("**/htmx*.js"):
        page.goto(address, wait_until="commit")
    yield
    held[0].continue_()
    page.unroute("**/htmx*.js")


def test_what_is_typed_and_chosen_before_htmx_listens_is_asked_for(page: Page, loom: Loom) -> None:
    with before_htmx(page, f"{loom.url}/agents/"):
        page.locator("[data-search]").fill("travel")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=travel"))

    with before_htmx(page, f"{loom.url}/compare/new/"):
        for number, name in enumerate(("travel_concierge", "code_tutor"), 1):
            page.get_by_label(f"Target {number}").select_option(f"{loom.agent_id(name)}:DEFAULT")
    expect(page.locator("#compare-estimate")).to_contain_text("Up to $")

    with before_htmx(page, f"{loom.url}/compare/targets/"):
        page.get_by_role("searchbox", name="Find a target").fill("no agent is called so")
    expect(page.locator("#target-options")).to_contain_text("has all of these words")


def test_a_part_that_comes_anew_waits_for_who_presses_a_button_in_it(page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/sessions/")
    settle(page)
    page.mouse.move(0, 0)
    page.evaluate(POLLED)
    page.get_by_role("button", name="Pressed").hover()
    page.mouse.down()
    page.evaluate("htmx.process(document.getElementById('main'))")  # from now on it comes anew
    wait_until(lambda: bool(page.evaluate("window.came >= 2")), "it was asked for, and was to be replaced")
    page.mouse.up()
    wait_until(lambda: bool(page.evaluate("window.heard === 1")), "the click is heard")
    expect(page.get_by_role("button", name="Pressed")).to_have_count(0)  # let go, it is replaced


def test_leaving_the_search_field_asks_for_nothing_again(page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/agents/")
    settle(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.locator("[data-search]").fill("travel")
    expect(page.locator("#announcer")).to_have_text("1 agents")
    row = page.locator("tbody tr a.row-link")
    row.evaluate(
        "(link) => { link.dataset.kept = 'yes'; link.addEventListener('click', (event) => event.preventDefault()); }"
    )
    row.click()
    expect(page.locator("[data-search]")).not_to_be_focused()
    assert asked.count("/agents/") == 1
    expect(row).to_have_attribute("data-kept", "yes")
