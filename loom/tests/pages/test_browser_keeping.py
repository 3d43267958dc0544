"""Pin, archive, delete and undo in a browser, from the menu, the list and the palette; and how a page is laid out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import DESKTOP, PHONE, SIDEWAYS, Witness, look, settle
from loom.tests.visiting import Prompt

pytestmark = pytest.mark.browser


def a_session(loom: Loom, prompt: str) -> str:
    agent = loom.agent_id("inventory_analyst")
    Prompt(loom, agent, prompt).finish()
    return f"{loom.url}{loom.get(f'/api/agents/{agent}/sessions?limit=1')[1][0]['url']}"


def test_a_session_is_pinned_and_deleted_from_the_palette_and_comes_back(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    address = a_session(loom, "Where is the zebra?")
    page.goto(address)
    settle(page)
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Search and go anywhere")
    here = dialog.get_by_role("group", name="On this page")
    expect(here.get_by_role("option")).to_have_text(
        ["Rename…", "Pin", "Archive", "Save its prompts as a prompt set", "Delete"]
    )
    dialog.get_by_role("combobox").fill("pin")
    here.get_by_role("option", name="Pin", exact=True).click()
    expect(page.locator(".title-line .chip", has_text="Pinned")).to_be_visible()
    expect(page.locator(".recent a").first).to_have_text("Where is the zebra?")
    settle(page)
    assert [*look(page), *witness.all_complaints()] == []

    page.get_by_label("What can be done with this session").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(f"{loom.url}/sessions/")
    toast = page.locator(".toast", has_text="Where is the zebra? is deleted")
    expect(toast).to_be_visible()
    settle(page)
    assert [*look(page), *witness.all_complaints()] == []
    assert page.request.get(address).status == 404
    toast.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast", has_text="1 session is there again.")).to_be_visible()
    assert page.request.get(address).status == 200
    page.goto(address)
    page.get_by_label("What can be done with this session").click()
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(page.locator(".title-line .chip", has_text="Pinned")).to_have_count(0)


def test_it_is_done_without_scripts_too(chromium: Browser, loom: Loom) -> None:
    address = a_session(loom, "Where is the yak?")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    page.get_by_label("What can be done with this session").click()
    page.get_by_role("button", name="Archive", exact=True).click()
    expect(page.locator(".title-line .chip", has_text="Archived")).to_be_visible()
    page.goto(f"{loom.url}/sessions/?archived=only")
    page.get_by_label("Check Where is the yak?").check()
    page.locator(".bulk").get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="Deleted in the last hour").click()
    page.get_by_role("button", name="Undo the deletion of Where is the yak?").click()
    expect(page.get_by_text("1 session is there again.")).to_be_visible()
    context.close()


def test_how_wide_the_columns_are_the_log_and_the_last_session_are_kept(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    address = a_session(loom, "Where is the gnu?")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    page.goto(address)
    settle(page)
    divider = page.get_by_role("separator")
    expect(divider).to_have_attribute("aria-valuenow", "38")
    before = page.locator(".beside").bounding_box()
    for _ in range(4):
        divider.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "42")
    page.locator(".run-log summary").first.click()
    expect(page.locator(".run-lines .log-line").first).to_be_visible()
    after = page.locator(".beside").bounding_box()
    assert before is not None and after is not None and after["width"] > before["width"] + 20
    settle(page)
    assert [*look(page), *witness.all_complaints()] == []

    page.reload()
    expect(divider).to_have_attribute("aria-valuenow", "42")
    expect(page.locator(".run-lines .log-line").first).to_be_visible()
    box = divider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 2_000, box["y"] + 20)
    page.mouse.up()
    expect(divider).to_have_attribute("aria-valuenow", "20")
    page.locator(".run-log summary").first.click()
    page.reload()
    expect(divider).to_have_attribute("aria-valuenow", "20")
    expect(page.locator(".run-log")).not_to_have_attribute("open", re.compile(".*"))
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    expect(divider).to_be_hidden()
    assert page.evaluate(SIDEWAYS) == 0

    page.goto(f"{loom.url}/agents/")
    settle(page)
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page).to_have_url(address)
