"""Loom without a mouse: from registering an agent to its latency, in headless Chromium."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import Witness, settle

pytestmark = pytest.mark.browser
MOST_TABS = 150
FOCUSED = "document.activeElement"
# A focus ring is an outline; a field may show a border instead, but then both differ from its rest.
RING = f"getComputedStyle({FOCUSED}).outlineStyle + ' ' + parseFloat(getComputedStyle({FOCUSED}).outlineWidth)"
IN_DIALOG = f"{FOCUSED} === document.body || {FOCUSED}.closest('dialog[open]') !== null"
LABEL = f"{FOCUSED}.ariaLabel || {FOCUSED}.innerText || {FOCUSED}.name"


@pytest.fixture
def witness(page: Page) -> Iterator[Witness]:
    """Fails the test for what the browser complains of on the way."""
    seen = Witness(page)
    yield seen
    assert seen.all_complaints() == []


def tab_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press the key until the target has the focus; whatever has it on the way must show it."""
    expect(target).to_be_visible()
    for _ in range(MOST_TABS):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press(key)
        if page.evaluate(f"{FOCUSED} !== document.body"):
            style, _, width = page.evaluate(RING).partition(" ")
            assert style != "none" and float(width) >= 1, f"no focus ring on {page.evaluate(LABEL)!r}"
    raise AssertionError(f"{target} is not reached by {MOST_TABS} presses of {key}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    tab_to(page, target)
    page.keyboard.press(key)


def check_dialog(page: Page, opener: Locator) -> None:
    """A dialog keeps the focus while it is open, and gives it back."""
    press(page, opener)
    dialog = page.locator("dialog[open]")
    expect(dialog).to_have_count(1)
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(IN_DIALOG), f"the focus left the dialog for {page.evaluate(LABEL)!r}"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_from_an_arn_to_a_latency_by_keyboard_alone(page: Page, loom: Loom, witness: Witness) -> None:
    """S0-108."""
    arn = next(agent["arn"] for agent in loom.get("/api/agents")[1] if agent["name"] == "code_tutor")
    page.goto(f"{loom.url}/agents/")
    settle(page)
    archive = page.get_by_role("button", name=re.compile("(Archive|Remove) code_tutor"))
    check_dialog(page, archive)
    press(page, archive)
    press(page, page.locator("dialog[open]").get_by_role("button", name=re.compile("^(Archive|Remove)$")))
    expect(page.get_by_role("link", name=re.compile("code_tutor"))).to_have_count(0)

    settle(page)
    press(page, page.get_by_role("link", name="Register", exact=True))
    expect(page.get_by_role("heading", level=1, name="Register an agent")).to_be_visible()
    tab_to(page, page.get_by_label("ARN", exact=False).and_(page.locator("input")))
    page.keyboard.type(arn)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="code_tutor")).to_be_visible()

    settle(page)
    loom.emulator.order(kind="silence", after_chunks=5, seconds=3_600)
    tab_to(page, page.locator("textarea[name=prompt]").first)
    page.keyboard.type("Explain generators")
    press(page, page.get_by_role("button", name="Start session"))
    # Of the answer itself: stopped while it still waits, the agent would keep its silence for the next prompt.
    expect(page.locator(".answer")).to_contain_text("Reading")
    press(page, page.get_by_role("button", name="Stop"))
    expect(page.locator("article")).to_contain_text("Stopped")
    expect(page.locator("[data-part=latency]")).to_contain_text("Time to first token")

    tab_to(page, page.locator("[data-part=prompt]"))
    page.keyboard.type("One more")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("line")
    page.keyboard.press("Enter")
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").nth(1).locator(".prompt")).to_have_text("One more\nline")
    expect(page.locator("article").nth(1)).to_contain_text("Completed")


def test_lists_are_walked_searched_and_explained_by_keys(page: Page, loom: Loom, witness: Witness) -> None:
    page.goto(f"{loom.url}/agents/")
    settle(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tbody .row-link").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.type("travel?")
    expect(page.locator("tbody tr")).to_have_count(0)
    page.keyboard.press("Backspace")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("[data-search]").blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("tbody .row-link").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="travel_concierge")).to_be_visible()


def test_a_session_is_renamed_and_deleted_by_keyboard(page: Page, loom: Loom, witness: Witness) -> None:
    page.goto(f"{loom.url}/agents/{loom.agent_id('sentiment_scorer')}/")
    settle(page)
    tab_to(page, page.locator("textarea[name=prompt]").first)
    page.keyboard.type("A title to be changed")
    press(page, page.get_by_role("button", name="Start session"))
    expect(page.locator("article")).to_contain_text("Completed")
    page.goto(f"{loom.url}/sessions/?q=to+be+changed")
    settle(page)
    rename = page.get_by_role("button", name="Rename A title to be changed")
    check_dialog(page, rename)
    press(page, rename)
    expect(page.locator("dialog[open] input:focus")).to_have_count(1)  # before, letters lead elsewhere
    page.keyboard.type("Another title")  # what was there is selected
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="A title to be changed")).to_have_count(0)

    settle(page)
    page.keyboard.press("/")
    page.keyboard.press("Control+A")
    page.keyboard.type("Another title")
    expect(page).to_have_url(re.compile(r"/sessions/\?q=Another(\+|%20)title$"))  # the list will not change any more
    press(page, page.get_by_role("button", name="Delete Another title"))
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    expect(page.get_by_role("link", name="Another title")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/sessions/\?q=Another(\+|%20)title$"))
