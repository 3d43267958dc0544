"""The list of runs in a browser: what is done to those that are checked."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import Witness, look, settle
from loom.tests.visiting import Prompt

pytestmark = pytest.mark.browser


def test_runs_are_tagged_and_deleted_by_their_boxes(page: Page, loom: Loom) -> None:
    witness = Witness(page)

    def looked_at(title: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        settle(page)
        assert [*look(page), *witness.all_complaints()] == []

    agent = loom.agent_id("sentiment_scorer")
    for prompt in ("I like it", "I do not"):
        Prompt(loom, agent, prompt).finish()
    page.goto(f"{loom.url}/runs/?agent={agent}&range=24h")
    settle(page)
    boxes = page.locator("td.row-title input[type=checkbox]")
    count = boxes.count()
    page.get_by_label("All on this page").check()
    expect(page.get_by_role("status").filter(has_text=f"With those checked ({count})")).to_be_visible()
    page.locator("#runs-bulk").get_by_label("Tag").fill("<b>Good</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text(f"{count} runs are tagged <b>Good</b>")
    looked_at("Runs")
    page.locator("td a.chip").first.click()
    expect(page).to_have_url(re.compile(r"\?tag="))
    expect(boxes).to_have_count(count)

    boxes.first.check()
    page.get_by_role("button", name="Add tag").click()
    expect(page.get_by_text("Type the word that the runs are to be found by.")).to_be_visible()
    settle(page)
    assert look(page) == []
    witness.complaints.clear()  # the console says that it was refused
    page.get_by_label("Tag").fill("<b>Good</b>")
    page.get_by_role("button", name="Remove tag").click()
    expect(boxes).to_have_count(count - 1)

    boxes.first.check()
    page.get_by_role("button", name="Delete…").click()
    looked_at("Delete this run?")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("1 run is deleted")
    expect(boxes).to_have_count(count - 2)
