"""Targets compared and Overview's drawings in a browser: found and added, dragged over, kept up to date."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import look
from loom_client import Client

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def used(loom: Loom) -> Loom:
    """A Loom whose two agents answered some prompts."""
    client = Client(loom.url)
    for name in ("code_tutor", "sentiment_scorer"):
        for _ in range(3):
            run = client.invoke(loom.agent_id(name), "A lovely day")
            assert "".join(event.text for event in run)
    return loom


def test_two_targets_are_found_and_compared_by_clicks_alone(page: Page, used: Loom) -> None:
    page.goto(f"{used.url}/compare/")
    page.get_by_role("link", name="Compare targets").click()
    search = page.get_by_role("searchbox", name="Find a target")
    for name in ("code_tutor", "sentiment_scorer"):
        search.fill(name)
        option = page.locator("#target-options .target-options a").first
        expect(option).to_contain_text(name)
        option.click()
        expect(page.locator(".target-list")).to_contain_text(name)
        if page.get_by_role("button", name="Find more").is_visible():
            search = page.get_by_role("searchbox", name="Find a target")

    expect(page.locator(".target-table thead th")).to_have_count(3)
    # How many runs of them there are depends on what else was done with this Loom.
    expect(page.locator(".target-table")).to_contain_text(re.compile(r"needs 6 of both|n = \d+"))
    expect(page.locator("path.target-curve")).to_have_count(1)  # the other answers in one piece
    page.get_by_role("link", name="Total").click()
    expect(page.locator("path.target-curve")).to_have_count(2)
    assert look(page) == []
    page.get_by_role("link", name="Take away 2").click()
    expect(page.locator(".target-table")).to_have_count(0)


# One more step on the left of the first chart, as if there had been runs earlier.
EARLIER = """() => {
  const step = document.querySelector(".chart-step");
  const earlier = step.cloneNode();
  const address = new URLSearchParams(step.dataset.href.slice(1));
  address.set("from", "2026-01-01T00:00");
  Object.assign(earlier.dataset, { href: `?${address}`, from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:05:00Z" });
  earlier.setAttribute("x", "5%");
  step.before(earlier);
  return address.get("to");
}"""


def test_dragging_over_a_chart_shows_that_time_alone_and_a_click_one_step(page: Page, used: Loom) -> None:
    page.goto(f"{used.url}/operate/?range=1h&measure_start=shown")
    expect(page.locator("#operate-drawings .chart-step").first).to_be_attached()
    until = page.evaluate(EARLIER)
    first, last = (page.locator(".chart-plot").first.locator(".chart-step").nth(number) for number in (0, 1))
    one, other = first.bounding_box(), last.bounding_box()
    assert one is not None and other is not None
    page.mouse.move(one["x"] + 2, one["y"] + 40)
    page.mouse.down()
    page.mouse.move(other["x"] + 2, other["y"] + 60, steps=4)
    expect(page.locator(".chart-step.is-chosen").nth(1)).to_be_attached()
    page.mouse.up()
    page.wait_for_url("**from=2026-01-01**")
    assert parse_qs(urlsplit(page.url).query)["to"] == [until]

    page.goto(f"{used.url}/operate/?range=1h&measure_start=shown")
    step = page.locator(".chart-plot").first.locator(".chart-step").last
    href = step.get_attribute("data-href")
    step.click(position={"x": 3, "y": 20})
    page.wait_for_url("**range=custom**")
    assert href is not None and page.url.endswith(href)
    page.get_by_role("link", name="Zoom out").click()
    expect(page.locator("#operate-drawings")).to_contain_text("Runs by hour")


def test_the_page_is_brought_up_to_date_in_the_zone_that_it_names(page: Page, used: Loom) -> None:
    page.goto(f"{used.url}/operate/?range=1h&measure_start=shown&zone=UTC&refresh=5")
    zone = page.get_by_role("region", name="Runs by hour").first.locator(".drawing-note")
    expect(zone).to_have_text("UTC")
    tile = page.locator("#operate-tiles dd").first
    before = int(tile.inner_text())
    list(Client(used.url).invoke(used.agent_id("code_tutor"), "And now?"))

    expect(tile).to_have_text(str(before + 1), timeout=30_000)
    expect(page.locator("#operate-live")).to_have_count(1)
    expect(zone).to_have_text("UTC")
