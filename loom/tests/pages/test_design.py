"""The parts that pages are made of, as /design/ shows them: whole at every width, in every colour and direction."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from loom.tests.fixtures import ROOT, Loom
from loom.tests.looking import PHONE, SIDEWAYS, Witness, axe_findings, look, settle

COMPONENTS = {path.stem for path in (ROOT / "templates" / "components").glob("*.html")}
# Where a part is and how large; and what sticks out of it or of the window.
BOXES = """[...document.querySelectorAll('[data-component]')].map((part) => {
    const { width, height, left, right } = part.getBoundingClientRect();
    const isSeen = width > 20 && height > 10 && left >= 0 && right <= document.documentElement.clientWidth;
    const isWhole = isSeen && part.scrollWidth <= part.clientWidth;
    return isWhole ? null : `${part.dataset.component}: ${width} x ${height} from ${left} to ${right}`;
}).filter(Boolean)"""


@pytest.fixture
def witness(page: Page) -> Iterator[Witness]:
    """Fails the test for what the browser complains of on the way."""
    seen = Witness(page)
    yield seen
    assert seen.all_complaints() == []


@pytest.mark.django_db
def test_staff_sees_every_component(client: Client, carol: User) -> None:
    """A new one has to be shown before it can be used."""
    client.force_login(carol)
    shown = re.findall(r'data-component="([^"]+)"', client.get("/design/").content.decode())

    assert {name for names in shown for name in names.split()} - {"progress"} == COMPONENTS


@pytest.mark.django_db
def test_others_see_it_only_while_loom_is_developed(client: Client, alice: User, settings: object) -> None:
    client.force_login(alice)
    assert client.get("/design/").status_code == 404

    settings.DEBUG = True  # type: ignore[attr-defined]
    assert client.get("/design/").status_code == 200


@pytest.mark.browser
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_every_component_is_whole_in_both_directions(witness: Witness, page: Page, loom: Loom, direction: str) -> None:
    page.goto(f"{loom.url}/design/?dir={direction}")
    settle(page)

    assert look(page) == []
    for size in ({"width": 1280, "height": 900}, {"width": 768, "height": 900}, PHONE):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        assert (size, page.evaluate(BOXES), page.evaluate(SIDEWAYS)) == (size, [], 0)


@pytest.mark.browser
def test_what_is_chosen_is_told_apart_in_forced_colours(witness: Witness, page: Page, loom: Loom) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(f"{loom.url}/design/")
    settle(page)
    colour = "(part) => getComputedStyle(part).backgroundColor"
    for part in page.locator("[data-component~=segments] .segments").all():
        chosen = part.locator("[aria-current], label:has(:checked)")
        other = part.locator(":is(a:not([aria-current]), label:not(:has(:checked)))").first
        assert chosen.evaluate(colour) != other.evaluate(colour)
    assert axe_findings(page) == []


@pytest.mark.browser
def test_a_menu_is_walked_by_keys_and_left_by_escape(witness: Witness, page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/design/")
    settle(page)
    menu = page.locator("main .menu").first
    opener, entries = menu.locator("summary"), menu.locator("a, button:not(:disabled)")
    opener.press("Enter")
    expect(entries.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    expect(entries.last).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(entries.first).to_be_focused()
    page.keyboard.press("Escape")
    expect(entries.first).to_be_hidden()
    expect(opener).to_be_focused()

    opener.click()
    expect(entries.first).to_be_visible()
    page.locator("h1").click()
    expect(entries.first).to_be_hidden()


@pytest.mark.browser
def test_a_menu_is_cut_off_by_nothing(witness: Witness, page: Page, loom: Loom) -> None:
    """The card clips what leaves it, and the window has an edge."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto(f"{loom.url}/design/")
    settle(page)
    page.locator("main .menu summary").first.click()
    entries = page.locator("main .menu").first.locator(".menu-list > :is(a, button)")
    for entry in entries.all():
        expect(entry).to_be_in_viewport(ratio=1)
        centre = """(part) => { const { left, top, width, height } = part.getBoundingClientRect();
            return part.contains(document.elementFromPoint(left + width / 2, top + height / 2)); }"""
        assert entry.evaluate(centre)


@pytest.mark.browser
def test_a_menu_without_scripts_is_a_disclosure(page: Page, loom: Loom) -> None:
    context = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    plain = context.new_page()
    plain.goto(f"{loom.url}/design/")
    plain.locator("main .menu summary").first.click()
    expect(plain.locator("main .menu-list").first.get_by_role("link")).to_be_visible()
    context.close()
