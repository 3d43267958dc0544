"""The live path of a session page in headless Chromium: two sessions on one page, a page that is slow, the way down."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import REPEATED_IDS, axe_findings, settle
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, newest_session_id

pytestmark = pytest.mark.browser
AGENT, TALKER = "sentiment_scorer", "code_tutor"
BESIDE = """async (address) => {
  const html = await (await fetch(address)).text();
  const other = new DOMParser().parseFromString(html, "text/html").querySelector("[data-widget~=session]");
  htmx.swap(document.getElementById("main"), other.outerHTML, { swapStyle: "beforeend" });
}"""
KEEP_SOCKETS = """window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...address) { super(...address); window.sockets.push(this); }
};"""
# In one frame: who reads scrolls by so much, and the answer goes on. Where the page stands two frames later.
SCROLL_AND_GO_ON = """async (distance) => {
  const { at } = document.querySelector("article.is-running").dataset;
  const data = JSON.stringify({ kind: "answer", at, closed: "<p>One more line.</p>".repeat(10) });
  scrollBy(0, distance);
  window.sockets.at(-1).dispatchEvent(new MessageEvent("message", { data }));
  for (const _ of "12") await new Promise(requestAnimationFrame);
  return scrollY;
}"""
IS_FOLLOWED = "scrollY > 200"  # that a page is long may be due to what stands beside the conversation
STOP = "() => void document.querySelector('[data-part=stop]').requestSubmit()"
BLOCK = "(ms) => { const end = performance.now() + ms; while (performance.now() < end); }"


def finished(loom: Loom, agent: str, prompt: str) -> str:
    """The public id of a session with one finished run."""
    Prompt(loom, loom.agent_id(agent), prompt).finish()
    return newest_session_id(loom)


def long_answer(page: Page, loom: Loom) -> tuple[Prompt, str]:
    """An answer that the window has no room for and that falls silent; and where it is shown."""
    loom.emulator.order(kind="silence", after_chunks=150, seconds=3_600)
    prompt = Prompt(loom, loom.agent_id(TALKER), "Explain generators")
    prompt.wait_for_chunks(1)
    page.set_viewport_size({"width": 1280, "height": 600})
    return prompt, f"{loom.url}/sessions/{newest_session_id(loom)}/"


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_two_sessions_stand_on_one_page_and_each_is_live_by_itself(page: Page, loom: Loom) -> None:
    first, second = finished(loom, AGENT, "The first"), finished(loom, AGENT, "The second")
    page.goto(f"{loom.url}/sessions/{first}/")
    settle(page)
    page.evaluate(BESIDE, f"{loom.url}/sessions/{second}/")
    views = [page.locator(f"[data-session='{session}']") for session in (first, second)]
    assert page.evaluate(REPEATED_IDS) == []

    for view, prompt in zip(views, ("To the one", "To the other"), strict=True):
        view.get_by_label("Prompt", exact=True).first.fill(prompt)
        view.get_by_label("Prompt", exact=True).first.press("Enter")
    for view, prompt in zip(views, ("To the one", "To the other"), strict=True):
        expect(view.locator("article")).to_have_count(2)
        expect(view.locator("article").nth(1)).to_contain_text("Completed")
        expect(view.locator("article .prompt").nth(1)).to_have_text(prompt)
        expect(view.locator("[data-part=reading]")).to_contain_text("Answer complete")
        expect(view.locator("[data-part=latency] dd").first).to_be_visible()

    page.evaluate("(id) => document.querySelector(`[data-session='${id}']`).remove()", first)
    views[1].get_by_label("Prompt", exact=True).first.fill("Still there?")
    views[1].get_by_label("Prompt", exact=True).first.press("Enter")
    expect(views[1].locator("article").nth(2)).to_contain_text("Completed")


def test_a_page_that_was_busy_catches_up_and_shows_every_word_once(page: Page, loom: Loom) -> None:
    """Its main thread is taken for half a second at a time, as by a slow machine, while an agent speaks."""
    loom.emulator.order(kind="silence", after_chunks=150, seconds=3_600)
    prompt = Prompt(loom, loom.agent_id(TALKER), "Explain generators")
    prompt.wait_for_chunks(1)
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    shown = page.locator(".answer")
    other = page.context.new_page()

    def is_what_a_new_page_shows() -> bool:
        other.goto(page.url)
        words = words_of(shown.inner_text())
        return len(words) > 20 and words == words_of(other.locator(".answer").inner_text())

    for _ in range(8):
        page.evaluate(BLOCK, 500)
    wait_until(is_what_a_new_page_shows, "it shows all that a page shows which is loaded anew")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("article")).to_contain_text("Stopped. Loom closed the connection")
    prompt.finish()


def test_who_reads_further_up_is_left_there_and_told_how_it_ended(page: Page, loom: Loom) -> None:
    prompt, address = long_answer(page, loom)
    page.goto(address)
    jump = page.locator("[data-part=jump]")
    wait_until(lambda: page.evaluate(IS_FOLLOWED), "it is long, and followed")
    expect(page.locator("[data-part=end]")).to_be_in_viewport()
    expect(jump).to_be_hidden()
    page.mouse.move(400, 100)

    def is_at_the_top() -> bool:
        page.mouse.wheel(0, -5000)  # what is turned before the page was painted where it stands does nothing
        return bool(page.evaluate("scrollY") == 0)

    wait_until(is_at_the_top, "the wheel was taken")
    expect(jump).to_have_text("Jump to the latest")
    expect(jump).to_be_visible()
    assert axe_findings(page) == []
    top = page.evaluate("scrollY")
    page.evaluate(STOP)
    expect(jump).to_have_text("The answer was stopped.")
    assert page.evaluate("scrollY") == top
    jump.dispatch_event("click")  # whatever still moves above it
    expect(jump).to_be_hidden()
    expect(page.locator("[data-part=state]")).to_be_in_viewport()
    prompt.finish()


def test_who_scrolls_up_bit_by_bit_is_not_pulled_back_by_what_comes_meanwhile(page: Page, loom: Loom) -> None:
    """Each bit comes in the same frame as a piece of the answer, before any observer has looked."""
    prompt, address = long_answer(page, loom)
    page.add_init_script(KEEP_SOCKETS)
    page.goto(address)
    jump, end = page.locator("[data-part=jump]"), page.locator("[data-part=end]")
    expect(page.locator("article.is-running")).to_have_attribute("data-at", re.compile(r".:."))
    wait_until(lambda: page.evaluate("sockets.length"), "it connects")
    page.evaluate(SCROLL_AND_GO_ON, 0)
    expect(page.locator("article.is-running")).to_contain_text("One more line.")  # what shows and follows is there

    before = page.evaluate(SCROLL_AND_GO_ON, 0)
    for step in range(1, 7):
        assert page.evaluate(SCROLL_AND_GO_ON, -40) == before - 40 * step
    expect(jump).to_be_visible()

    page.evaluate(SCROLL_AND_GO_ON, 5_000)
    expect(jump).to_be_hidden()
    expect(end).to_be_in_viewport()
    assert page.evaluate(SCROLL_AND_GO_ON, 0) > before  # it is followed again
    expect(end).to_be_in_viewport()
    page.evaluate(STOP)
    prompt.finish()


def test_what_comes_before_the_page_can_follow_is_followed_when_it_can(page: Page, loom: Loom) -> None:
    prompt, address = long_answer(page, loom)
    held: list[Route] = []
    page.route("**/js/end*.js", lambda route: held.append(route))
    with page.expect_request("**/js/end*.js"):
        page.goto(address)
    output, end = page.locator("article.is-running [data-part=output]"), page.locator("[data-part=end]")
    output.evaluate("(output) => output.insertAdjacentHTML('beforeend', '<p>More</p>'.repeat(30))")
    expect(end).not_to_be_in_viewport()
    held[0].continue_()
    expect(end).to_be_in_viewport()
    expect(page.locator("[data-part=jump]")).to_be_hidden()
    page.evaluate(STOP)
    prompt.finish()


def test_a_page_that_is_not_looked_at_shows_what_came(page: Page, loom: Loom) -> None:
    """No frame is painted then, and none is waited for."""
    session = finished(loom, AGENT, "The first")
    page.add_init_script("Object.defineProperty(Document.prototype, 'hidden', { get: () => true });")
    page.add_init_script("window.requestAnimationFrame = () => 0;")
    page.goto(f"{loom.url}/sessions/{session}/")
    page.locator("[data-part=prompt]").fill("And then?")
    page.locator("[data-part=prompt]").press("Enter")
    wait_until(lambda: "Completed" in page.locator("article").nth(1).inner_text(), "the answer is shown")
