"""A choice among agents that is searched, by its keys and with the mouse."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, axe_findings, look, picker, settle

pytestmark = pytest.mark.browser
ACTIVE = "(field) => document.getElementById(field.getAttribute('aria-activedescendant'))?.textContent.trim()"


def test_an_agent_is_found_by_a_piece_of_its_name_and_chosen_by_keys(page: Page, loom: Loom) -> None:
    witness = Witness(page)
    page.goto(f"{loom.url}/sessions/new/")
    settle(page)
    field = picker(page, "Agent")
    before = field.input_value()
    field.focus()
    expect(page.get_by_role("listbox")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    assert field.evaluate(ACTIVE) == before
    assert axe_findings(page) == []
    field.fill("tuto")
    option = page.get_by_role("option", name=re.compile("code_tutor"))
    expect(option).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    expect(field).to_have_value(before)  # nothing was chosen

    field.fill("tuto")
    expect(option).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"agent={loom.agent_id('code_tutor')}$"))
    expect(picker(page, "Agent")).to_have_value(re.compile("code_tutor"))
    expect(page.locator("form[action*='/start/']")).to_have_attribute(
        "action", f"/sessions/start/{loom.agent_id('code_tutor')}/"
    )
    expect(picker(page, "Agent")).to_be_focused()
    assert [*look(page), *witness.all_complaints()] == []


def test_on_a_phone_it_fits_and_what_is_not_there_is_said(page: Page, loom: Loom) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{loom.url}/compare/new/")
    settle(page)
    field = picker(page, "Target 2")
    field.click()
    expect(page.get_by_role("listbox")).to_be_in_viewport(ratio=1)
    assert page.evaluate(SIDEWAYS) == 0
    field.fill("no such agent")
    expect(page.locator("#announcer")).to_have_text("Nothing is found.")
    page.get_by_label("Prompt").click()
    expect(page.get_by_role("listbox")).to_be_hidden()


def test_without_scripts_it_is_a_plain_choice(chromium: Browser, loom: Loom) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{loom.url}/sessions/new/")
    page.get_by_label("Agent", exact=True).select_option(str(loom.agent_id("code_tutor")))
    page.get_by_role("button", name="Choose").click()
    expect(page).to_have_url(re.compile(rf"agent={loom.agent_id('code_tutor')}$"))
    context.close()
