"""A replay in headless Chromium, under a clock that only the test moves: at any instant it shows what had come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import PHONE, axe_findings, settle
from loom.tests.visiting import Prompt, newest_run, newest_session_id

pytestmark = pytest.mark.browser
AGENT = "inventory_analyst"
FRAME_MS = 20  # between two paints there is less
SHOWN = """(column) => [...column.querySelectorAll("[data-part=output], [data-part=tail]")]
  .map((part) => part.innerHTML).join("")"""
WORD_MS = 7.5
NIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def words_film(count: int, **told: Any) -> dict[str, Any]:
    """A word each 7.5 ms, one of ten in a paragraph that is closed, the others in what is open; then five seconds."""
    frames: list[dict[str, Any]] = []
    tail = ""
    for number in range(count):
        at, word = number * WORD_MS, f"w{number} "
        if number % 10:
            frames.append({"at": at, "tail": [len(tail), word, 0]})
            tail += word
        else:
            frames.append({"at": at, "closed": [f"<p>{tail}{word}</p>"], "tail": [0, "", 0]})
            tail = ""
    return {"duration_ms": count * WORD_MS, "step_ms": 0, "event_count": count, "frames": frames, **told}


def due(film: dict[str, Any], at: float) -> list[str]:
    """The words that had come by then."""
    return [f"w{number}" for number, frame in enumerate(film["frames"]) if frame["at"] <= at]


def open_replay(page: Page, address: str, film: dict[str, Any] | None = None) -> None:
    """Open it and stop its clock."""
    page.clock.install(time=NIGHT)
    if film is not None:
        page.route("**/replay/*/film/", lambda route: route.fulfill(json=film))
    page.goto(address)
    expect(page.locator("[data-ready]")).to_be_visible()
    page.clock.pause_at(NIGHT + timedelta(hours=1))


def at_of(page: Page) -> float:
    return float(page.locator(".replay").get_attribute("data-at") or "nan")


def words_of(page: Page, column: int = 0) -> list[str]:
    return str(page.locator("[data-part=answer]").nth(column).text_content()).split()


@pytest.fixture
def address(loom: Loom) -> str:
    Prompt(loom, loom.agent_id(AGENT), "What is low?").finish()
    return f"{loom.url}/sessions/{newest_session_id(loom)}/replay/1/"


def test_at_every_instant_it_shows_exactly_what_had_come(page: Page, address: str) -> None:
    film = words_film(4_000)
    open_replay(page, address, film)
    page.get_by_role("button", name="Play", exact=True).click()
    played = 0
    for run_ms in (100, 333, 1_000, 5_000, 12_000):
        page.clock.run_for(run_ms)
        played += run_ms
        at = at_of(page)
        assert played - FRAME_MS < at <= played
        assert words_of(page) == due(film, at)
    page.get_by_text("4×", exact=True).click()
    before = at_of(page)
    page.clock.run_for(1_000)
    assert before + 4 * (1_000 - FRAME_MS) < at_of(page) <= before + 4 * (1_000 + FRAME_MS)
    assert words_of(page) == due(film, at_of(page))
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(1_000)
    stopped = at_of(page)
    page.clock.run_for(1_000)
    assert at_of(page) == stopped
    for at in (20_000, 7.5, 29_999, 0, 30_000, 12_345):  # forwards and backwards
        page.locator("[data-part=scrubber]").evaluate(
            "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input', { bubbles: true })); }", at
        )
        page.clock.run_for(200)
        assert words_of(page) == due(film, at), at


def test_a_page_that_was_not_painted_goes_on_where_the_clock_is(page: Page, address: str) -> None:
    """Nothing adds up: a second in which no frame came is a second."""
    film = words_film(2_000)
    open_replay(page, address, film)
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(100)
    page.clock.fast_forward(9_000)
    page.clock.run_for(100)
    at = at_of(page)
    assert 9_200 - FRAME_MS < at <= 9_200
    assert words_of(page) == due(film, at)


def test_keys_play_and_go_from_event_to_event_but_not_where_somebody_types(page: Page, address: str) -> None:
    film = words_film(100)
    open_replay(page, address, film)
    for key, words in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("ArrowLeft", 1), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        page.clock.run_for(50)
        assert len(words_of(page)) == words, key
    page.locator("[data-part=scrubber]").focus()
    page.keyboard.press("ArrowRight")
    page.clock.run_for(50)
    assert at_of(page) == WORD_MS
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.clock.run_for(200)
    page.keyboard.press("Space")
    page.clock.run_for(50)
    stopped = at_of(page)
    assert stopped > 150
    page.get_by_label("Any speed").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    page.clock.run_for(200)
    assert at_of(page) == stopped


def test_any_speed_can_be_typed_and_long_gaps_are_cut_short_on_demand(page: Page, address: str) -> None:
    film = words_film(3)
    film["frames"].append({"at": 20_015, "tail": [0, "late", 0]})
    film["duration_ms"] = 20_100
    open_replay(page, address, film)
    page.get_by_label("Any speed").fill("2.5")
    expect(page.get_by_label("1×", exact=True)).not_to_be_checked()
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(1_000)
    assert 2_500 - 2.5 * FRAME_MS < at_of(page) <= 2_500
    page.get_by_label("Any speed").fill("0")  # is none, and changes nothing
    page.get_by_label("Any speed").fill("1")
    expect(page.get_by_text("1 × > 5 s, −19.50 s")).to_be_visible()
    page.get_by_label("Cut long gaps short").check()
    page.clock.run_for(700)
    assert "late" in words_of(page)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it is over
    assert at_of(page) == 20_100


def test_who_asked_for_less_motion_sees_fewer_changes(page: Page, address: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    film = words_film(1_000)
    open_replay(page, address, film)
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(1_300)
    assert at_of(page) == 1_000
    assert words_of(page) == due(film, 1_000)


def test_a_large_answer_is_put_together_in_pieces_and_taken_back(page: Page, address: str) -> None:
    piece = "<p>" + "x" * 5_000 + "</p>"
    frames = [{"at": float(number), "closed": [piece]} for number in range(200)]
    open_replay(page, address, {"duration_ms": 300, "step_ms": 40, "event_count": 99, "frames": frames})
    expect(page.locator("[data-part=merged]")).to_contain_text("40 ms")
    page.locator("[data-part=scrubber]").focus()
    page.evaluate(
        """() => { window.most = 0; new MutationObserver((changes) => {
          const added = changes.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
          window.most = Math.max(window.most, added);
        }).observe(document.querySelector("[data-part=output]"), { childList: true }); }"""
    )
    page.keyboard.press("End")
    page.clock.run_for(1_000)
    assert page.locator("[data-part=output] > p").count() == 200
    assert 0 < page.evaluate("window.most") <= 4
    assert page.locator("[data-part=answer]").evaluate("(pane) => pane.scrollTop > 0")  # its end is followed
    page.keyboard.press("Home")
    page.clock.run_for(50)
    assert page.locator("[data-part=output] > p").count() == 1


def test_who_scrolls_up_bit_by_bit_is_left_there_and_who_scrolls_down_again_follows(page: Page, address: str) -> None:
    """Each bit comes between two paints, and each paint brings words."""
    open_replay(page, address, words_film(4_000))
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(15_000)
    pane = page.locator("[data-part=answer]")

    def scrolled_by(distance: int) -> tuple[int, int]:
        """Where the pane stands after it, and how far it could still be scrolled."""
        pane.evaluate("(pane, by) => new Promise((told) => { pane.onscroll = told; pane.scrollTop += by; })", distance)
        page.clock.run_for(500)
        top, rest = pane.evaluate("(pane) => [pane.scrollTop, pane.scrollHeight - pane.clientHeight - pane.scrollTop]")
        return round(top), round(rest)

    before, rest = pane.evaluate("(pane) => pane.scrollTop"), 0
    for step in range(1, 5):
        top, rest = scrolled_by(-20)
        assert top == round(before) - 20 * step
    assert rest > 80
    assert scrolled_by(rest)[1] == 0
    page.clock.run_for(1_000)
    assert pane.evaluate("(pane) => pane.scrollHeight - pane.clientHeight - pane.scrollTop") < 1


def test_a_real_run_ends_as_its_page_shows_it_and_two_are_played_by_one_clock(
    page: Page, loom: Loom, address: str
) -> None:
    first = newest_run(loom).row["pk"]
    Prompt(loom, loom.agent_id("code_tutor"), "Explain generators").finish()
    witness: list[str] = []
    page.on("pageerror", lambda error: witness.append(str(error)))
    open_replay(page, f"{loom.url}/sessions/{newest_session_id(loom)}/replay/1/?with={first}")
    columns = page.locator(".replay-part")
    expect(columns).to_have_count(2)
    page.get_by_role("button", name="Play", exact=True).click()
    page.clock.run_for(60_000)
    for column, one in ((0, page.url.split("replay")[0]), (1, address.split("replay")[0])):
        whole = page.context.request.get(one).text()
        shown = columns.nth(column).evaluate(SHOWN)
        of_page = page.evaluate(
            """(html) => [...new DOMParser().parseFromString(html, "text/html").querySelectorAll(".answer > .md")]
              .map((part) => part.innerHTML).join("")""",
            whole,
        )
        assert shown.strip() == of_page.strip() != ""
    assert witness == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    boxes = [columns.nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0] is not None and boxes[1] is not None
    assert boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    page.clock.resume()
    assert axe_findings(page) == []


def test_a_recording_that_does_not_come_leaves_the_whole_answer_and_can_be_asked_for_again(
    page: Page, address: str
) -> None:
    page.route("**/replay/*/film/", lambda route: route.fulfill(status=500, body="{}"), times=1)
    page.goto(address)
    expect(page.get_by_text("The recording could not be loaded.")).to_be_visible()
    assert len(words_of(page)) > 10
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-ready]")).to_be_visible()
    settle(page)
    expect(page.locator("[data-part=time]")).to_contain_text("0.00 s /")


def test_without_scripts_the_whole_answer_stands_there(page: Page, address: str) -> None:
    assert page.context.browser is not None
    context = page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(address)
    expect(plain.get_by_text("Without it the whole answer stands here at once.")).to_be_visible()
    expect(plain.locator("[data-part=controls]")).to_be_hidden()
    assert len(plain.locator("[data-part=answer]").inner_text().split()) > 10
    context.close()
