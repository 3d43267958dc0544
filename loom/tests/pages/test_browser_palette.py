"""Going anywhere by keys, in headless Chromium: the palette, the sheet of keys, the switch, a phone, no scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, axe_findings, settle
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt

pytestmark = pytest.mark.browser
ACTIVE = "(field) => document.getElementById(field.getAttribute('aria-activedescendant'))?.innerText ?? ''"


@pytest.fixture
def witness(page: Page) -> Iterator[Witness]:
    """Fails the test for what the browser complains of on the way."""
    seen = Witness(page)
    yield seen
    assert seen.all_complaints() == []


def go(page: Page, loom: Loom, path: str = "/agents/") -> None:
    page.goto(loom.url + path)
    settle(page)


def field_of(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Agents, sessions, runs, pages and actions")


def ask(page: Page, text: str) -> None:
    """Type what is searched for, and wait until it was: what is found then stays."""
    page.keyboard.type(text)
    expect(field_of(page)).to_have_value(text)
    expect(page.get_by_role("dialog").get_by_role("status")).not_to_have_text("Searching…")


def agent_of(page: Page) -> Locator:
    """What leads to the agent; its sessions and runs name it as well."""
    return page.get_by_role("group", name="Agents").get_by_role("option", name=re.compile("travel_concierge"))


def test_the_palette_finds_an_agent_and_goes_there_by_keys(page: Page, loom: Loom, witness: Witness) -> None:
    go(page, loom)
    opener = page.get_by_role("link", name="Search")
    opener.focus()
    page.keyboard.press("Control+k")
    field = field_of(page)
    expect(field).to_be_focused()
    assert "Agents" in field.evaluate(ACTIVE)
    assert axe_findings(page) == []

    ask(page, "travel concierge")
    expect(agent_of(page)).to_have_attribute("aria-selected", "true")
    assert "travel_concierge" in field.evaluate(ACTIVE)
    expect(page.get_by_role("option", name="New session")).to_be_hidden()
    assert axe_findings(page) == []
    page.keyboard.press("ArrowUp")
    assert "All runs that say" in field.evaluate(ACTIVE)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="travel_concierge")).to_be_visible()

    settle(page)
    page.get_by_role("link", name="Search").focus()
    page.keyboard.press("Control+k")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.get_by_role("link", name="Search")).to_be_focused()


@pytest.mark.parametrize(("keys", "name"), [("Control+k", "Search"), ("?", "Keys")])
def test_what_is_closed_before_it_was_there_does_not_open(page: Page, loom: Loom, keys: str, name: str) -> None:
    held: list[Route] = []
    page.route("**/palette*.js", lambda route: held.append(route))
    go(page, loom)
    with page.expect_request("**/palette*.js"):
        page.keyboard.press(keys)
    page.keyboard.press("Escape")
    held[0].continue_()
    styled = "[...document.styleSheets].some(({ href }) => /palette/.test(href))"
    wait_until(lambda: page.evaluate(styled), "nothing of it is missing")
    page.evaluate("new Promise((told) => requestAnimationFrame(() => requestAnimationFrame(told)))")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press(keys)  # asked for again, it opens
    expect(page.get_by_role("dialog", name=name)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_sessions_and_runs_are_found_and_an_action_is_done(page: Page, loom: Loom, witness: Witness) -> None:
    Prompt(loom, loom.agent_id("sentiment_scorer"), "An unheard-of zither").finish()
    wait_until(lambda: bool(loom.get("/api/runs?q=zither")[1]["items"]), "its words are found")  # by a task
    go(page, loom)
    page.get_by_role("link", name="Search").click()
    ask(page, "zither")
    runs = page.get_by_role("group", name="Runs").get_by_role("option", name=re.compile("unheard-of zither"))
    expect(runs).to_be_visible()
    runs.click()
    expect(page).to_have_url(re.compile(r"/sessions/[0-9a-f-]+/#invocation-\d+$"))

    settle(page)
    page.keyboard.press("Control+k")  # also where a prompt is written
    ask(page, "new sess")
    expect(page.get_by_role("option", name="New session")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/sessions/new/$"))


def test_two_keys_belong_together_by_when_they_were_pressed(page: Page, loom: Loom) -> None:
    """A busy page hears the second one late."""
    go(page, loom)
    page.evaluate(
        """() => {
          const [first, second] = ["g", "s"].map((key) => new KeyboardEvent("keydown", { key, bubbles: true }));
          document.body.dispatchEvent(first);
          const heard = performance.now() + 1_600;
          while (performance.now() < heard);
          document.body.dispatchEvent(second);
        }"""
    )
    expect(page).to_have_url(re.compile("/sessions/$"))


def test_an_answer_that_is_late_does_not_replace_a_newer_one_and_a_failure_is_said(page: Page, loom: Loom) -> None:
    held: list[Route] = []
    page.route("**/palette/results/?q=travel", lambda route: held.append(route))
    page.route("**/palette/results/?q=nothing", lambda route: route.fulfill(status=500, body="no"))
    go(page, loom)
    page.keyboard.press("Control+k")
    with page.expect_request("**/palette/results/?q=travel"):
        page.keyboard.type("travel")
    field_of(page).fill("code_tutor")
    expect(page.get_by_role("option", name=re.compile("^code_tutor"))).to_be_visible()
    held[0].continue_()
    expect(page.get_by_role("option", name=re.compile("travel"))).to_have_count(0)

    field_of(page).fill("nothing")
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("could not be searched")
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("500")
    expect(field_of(page)).to_have_value("nothing")


@pytest.mark.parametrize(
    ("keys", "address"),
    [("g s", "/sessions/"), ("g r", "/runs/"), ("g o", "/operate/"), ("g a", "/agents/"), ("n", "/sessions/new/")],
)
def test_keys_go_to_pages(page: Page, loom: Loom, witness: Witness, keys: str, address: str) -> None:
    go(page, loom, "/evidence/")
    for key in keys.split():
        page.keyboard.press(key)
    expect(page).to_have_url(loom.url + address)


def test_keys_are_nobodys_where_somebody_writes_or_a_dialog_is_open(page: Page, loom: Loom, witness: Witness) -> None:
    go(page, loom, "/sessions/new/")
    page.locator("textarea[name=prompt]").first.fill("")
    page.keyboard.type("gs?n")
    expect(page.locator("textarea[name=prompt]").first).to_have_value("gs?n")
    page.locator("textarea[name=prompt]").first.blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("Control+k")
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    # Nothing is left of what was begun in the dialog.
    page.keyboard.press("s")
    page.keyboard.press("/")  # no list here: everything is searched
    expect(field_of(page)).to_be_focused()
    expect(page).to_have_url(re.compile("/sessions/new/$"))


def test_the_keys_are_switched_off_in_their_sheet_and_on_again(page: Page, loom: Loom, witness: Witness) -> None:
    go(page, loom)
    page.get_by_role("button", name="Keys").click()
    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet).to_be_visible()
    assert axe_findings(page) == []
    sheet.get_by_label("These keys are on").uncheck()
    page.keyboard.press("Escape")
    go(page, loom)
    expect(page.locator(".search-button kbd")).to_be_hidden()
    for key in ("Control+k", "?", "j", "n"):
        page.keyboard.press(key)
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("body")).to_be_focused()
    page.get_by_role("button", name="Keys").click()
    sheet.get_by_label("These keys are on").check()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(field_of(page)).to_be_focused()


def test_on_a_phone_everything_is_in_the_bar_and_behind_more(page: Page, loom: Loom, witness: Witness) -> None:
    Prompt(loom, loom.agent_id("sentiment_scorer"), "On the way").finish()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    go(page, loom)
    bar = page.get_by_role("navigation", name="Main")
    expect(bar.get_by_role("link").filter(visible=True)).to_have_text(["Agents", "Sessions", "Runs", "Overview"])
    last = page.get_by_role("navigation", name="Last sessions")
    expect(last).to_be_hidden()
    bar.get_by_role("button", name="More").click()
    expect(last.get_by_role("link", name="On the way").first).to_be_in_viewport(ratio=1)
    for name in ("Alerts", "API"):
        expect(page.get_by_role("link", name=name, exact=True)).to_be_in_viewport(ratio=1)
    assert [page.evaluate(SIDEWAYS), *axe_findings(page)] == [0]
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Search").click()
    expect(field_of(page)).to_be_focused()
    ask(page, "travel")
    expect(agent_of(page)).to_be_in_viewport(ratio=1)
    assert [page.evaluate(SIDEWAYS), *axe_findings(page)] == [0]
    page.get_by_role("button", name="Close", exact=True).click()
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_what_is_new_begins_in_a_menu(page: Page, loom: Loom, witness: Witness) -> None:
    go(page, loom, "/runs/")
    page.locator(".side .menu summary").press("Enter")
    expect(page.get_by_role("link", name="New session", exact=True).first).to_be_focused()
    page.get_by_role("link", name="Register an agent").click()
    expect(page.locator("#id_arn")).to_be_focused()


def test_without_scripts_search_leads_to_the_runs_and_new_and_more_open(chromium: Browser, loom: Loom) -> None:
    context = chromium.new_context(java_script_enabled=False, viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{loom.url}/agents/")
    page.get_by_role("button", name="More").click()
    expect(page.get_by_role("link", name="API", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Keys")).to_be_hidden()
    page.get_by_role("button", name="More").click()
    page.locator(".side .menu summary").click()
    expect(page.get_by_role("link", name="Import agents", exact=True)).to_be_visible()
    page.get_by_role("link", name="Search").click()
    expect(page).to_have_url(f"{loom.url}/runs/")
    context.close()
