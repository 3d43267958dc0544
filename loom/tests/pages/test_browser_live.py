"""A session page for who cannot see it, sees it enlarged or in colours of their own, or gets only part of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.looking import axe_findings, settle
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, newest_session_id

pytestmark = pytest.mark.browser
AGENT = "sentiment_scorer"  # answers at once
TALKER = "code_tutor"  # headings, code, a table, lists
ARABIC = "ما هي أفضل الطرق؟"
# Everything that a screen reader is told, and every state that the badge of the newest turn shows.
LISTEN = """() => {
  const reading = document.querySelector("[data-part=reading]");
  if (!reading) return;
  window.told = [...reading.querySelectorAll("p")].map((part) => part.textContent);
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const part of addedNodes) window.told.push(part.textContent);
  }).observe(reading, { childList: true });
  window.before = document.querySelectorAll("[data-part=output] > *").length; // which the page came with
  window.states = [];
  const look = () => {
    const state = [...document.querySelectorAll(".turn-state .badge")].at(-1)?.textContent;
    if (state && state !== window.states.at(-1)) window.states.push(state);
  };
  look();
  const transcript = document.querySelector("[data-part=transcript]");
  new MutationObserver(look).observe(transcript, { childList: true, subtree: true });
}"""
# What lies below the middle of each thing that takes the focus, where that is not the thing itself.
COVERED = """async () => {
  const found = [];
  const stops = document.querySelectorAll("main :is(a[href], button, textarea, input, summary, [tabindex='0'])");
  for (const stop of stops) {
    if (!stop.checkVisibility({ visibilityProperty: true }) || stop.closest(".visually-hidden, .modes")) continue;
    stop.focus();
    if (document.activeElement !== stop) continue;
    const box = stop.getBoundingClientRect();
    const points = [[box.left + 3, box.top + 3], [box.left + box.width / 2, box.top + box.height / 2],
                    [box.left + 3, box.bottom - 3]];
    const isSeen = points.some(([x, y]) => { const top = document.elementFromPoint(x, y);
      return top && (stop.contains(top) || top.contains(stop)); });
    if (!isSeen) found.push(stop.outerHTML.slice(0, 120));
  }
  return found;
}"""
# Until something is pressed, requests are marked and nobody waits for fifteen seconds.
HASTE = """let isHasty = true;
window.addEventListener("click", () => { isHasty = false; }, { capture: true });
window.addEventListener("htmx:configRequest", ({ detail }) => {
  if (isHasty) Object.assign(detail, { timeout: 300, headers: { ...detail.headers, "X-Hasty": "yes" } });
});"""
NO_SOCKETS = """window.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 3;
  constructor() { super(); setTimeout(() => this.dispatchEvent(new CloseEvent("close", { code: 1006 }))); }
  close() {}
}"""


@pytest.fixture
def finished_session(loom: Loom) -> str:
    """The public id of a session with one finished run."""
    Prompt(loom, loom.agent_id(AGENT), "Two days in Ghent").finish()
    return newest_session_id(loom)


@pytest.fixture
def far_away(chromium: Browser) -> Iterator[Page]:
    """The browser of somebody in India whose system counts hours to twelve."""
    context = chromium.new_context(locale="en-US", timezone_id="Asia/Kolkata", viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def composer(page: Page) -> Locator:
    return page.locator("[data-part=prompt]")


@pytest.mark.parametrize("place", ["agent", "new session"])
def test_where_a_session_starts_the_keys_are_those_of_the_composer(page: Page, loom: Loom, place: str) -> None:
    agent = loom.agent_id(AGENT)
    page.goto(loom.url + (f"/agents/{agent}/" if place == "agent" else f"/sessions/new/?agent={agent}"))
    settle(page)
    prompt = page.get_by_placeholder("Ask the agent…")
    prompt.fill("First line")
    prompt.press("Shift+Enter")
    prompt.press_sequentially("second")
    for composing in ({"isComposing": True}, {"keyCode": 229}):  # a word of an input method is confirmed
        prompt.dispatch_event("keydown", {"key": "Enter", "bubbles": True, "cancelable": True, **composing})
    expect(prompt).to_have_value("First line\nsecond")
    prompt.press("Enter")
    expect(page.locator("article .prompt")).to_have_text("First line\nsecond")

    expect(page.locator("article")).to_contain_text("Completed")
    composer(page).fill("And then?")
    composer(page).press("Control+Enter")
    expect(page.locator("article")).to_have_count(2)


def test_control_enter_sends_from_where_enter_is_a_new_line(page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id(AGENT)}")
    page.get_by_text("Raw JSON instead of a prompt").click()
    payload = page.get_by_label("Raw JSON", exact=True)
    payload.fill('{"prompt":')
    payload.press("Enter")
    payload.press_sequentially('"go"}')
    expect(payload).to_have_value('{"prompt":\n"go"}')
    payload.press("ControlOrMeta+Enter")
    expect(page.locator("article")).to_contain_text("Completed")


def test_an_answer_is_told_as_it_comes_and_its_state_is_true(page: Page, loom: Loom) -> None:
    loom.emulator.order(kind="silence", after_chunks=120, seconds=3_600)
    page.add_init_script(f"document.addEventListener('DOMContentLoaded', {LISTEN})")
    page.goto(f"{loom.url}/sessions/new/?agent={loom.agent_id(TALKER)}")
    page.get_by_placeholder("Ask the agent…").fill("Explain generators")
    page.keyboard.press("Enter")
    expect(page.locator(".turn-state .badge")).to_have_text("Streaming")
    expect(page.locator(".answer")).to_contain_text("You")  # it has begun: what is ordered befalls it
    composer(page).fill("And then?")
    composer(page).press("Enter")
    expect(page.locator("ol.ahead .excerpt")).to_have_text(["And then?"])
    expect(composer(page)).to_have_value("")
    expect(page.locator("[data-part=reading]")).to_contain_text("1 prompt waits.")
    page.get_by_role("button", name="Remove prompt 1").click()
    expect(page.locator("ol.ahead")).to_have_count(0)
    loom.emulator.end_silences()
    expect(page.locator("article")).to_contain_text("Completed")

    told, states, before = page.evaluate("[window.told, window.states, window.before]")
    assert states in (["Pending", "Streaming", "Completed"], ["Streaming", "Completed"])
    assert told[0] == f"{TALKER} is answering."
    assert re.fullmatch(r"Answer complete, [\d.]+ m?s\.", told[-1])
    assert told.count("1 prompt waits.") == 1
    parts = [part for part in told[1:-1] if part != "1 prompt waits."]
    shown = page.locator(".answer > .md").first.locator("> *")
    assert 0 < len(parts) == shown.count() - before and all(len(part) < 2_001 for part in parts)  # each once
    assert not page.locator("[data-part=transcript] [aria-live], [data-part=transcript][role=log], [aria-busy]").count()


def test_who_wants_only_the_end_of_an_answer_is_told_only_that(page: Page, loom: Loom, finished_session: str) -> None:
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    choice = page.get_by_label(re.compile("Screen readers hear each paragraph"))
    choice.focus()
    expect(choice).to_be_visible()  # once it is reached
    choice.press("Space")  # whether the script that keeps it has come or not
    settle(page)
    wait_until(lambda: page.evaluate("localStorage.getItem('loom.reading')") == "end", "the choice is kept")
    page.reload()
    expect(choice).not_to_be_checked()
    page.evaluate(LISTEN)
    composer(page).fill("And then?")
    composer(page).press("Enter")
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    wait_until(lambda: len(page.evaluate("window.told")) == 2, "the end was told")
    begin, end = page.evaluate("window.told")
    assert (begin, end[:16]) == (f"{AGENT} is answering.", "Answer complete,")


def test_turns_are_found_by_their_headings_and_each_has_a_name(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id(TALKER), "Explain generators").finish()
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    settle(page)
    turn = page.get_by_role("article", name="Invocation 1: Explain generators")
    expect(turn).to_have_count(1)
    expect(turn.get_by_role("heading", level=3)).to_have_text("Invocation 1: Explain generators")
    expect(turn.get_by_role("heading", level=4)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert axe_findings(page, ["heading-order", "page-has-heading-one"]) == []


def test_a_block_of_code_is_copied_by_its_own_button(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id(TALKER), "Explain generators").finish()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    block = page.locator(".answer pre").first
    page.get_by_role("button", name="Copy code").first.click()
    expect(page.locator("#announcer")).to_have_text("code copied")
    assert page.evaluate("navigator.clipboard.readText()") == (block.text_content() or "").rstrip("\n")
    assert page.locator(".answer pre").count() == page.get_by_role("button", name="Copy code").count() > 1


@pytest.mark.parametrize("failure", ["an error", "no answer", "no connection"])
def test_a_part_that_fails_says_so_and_is_fetched_again(
    page: Page, loom: Loom, finished_session: str, failure: str
) -> None:
    held: list[Route] = []

    def fail(route: Route) -> None:
        if "x-hasty" not in route.request.headers:
            route.continue_()
        elif failure == "an error":
            route.fulfill(status=500, body="<h1>Loom made a mistake</h1>")
        elif failure == "no connection":
            route.abort()
        else:
            held.append(route)

    page.route("**/latency/", fail)
    page.add_init_script(HASTE)
    page.goto(f"{loom.url}/sessions/{finished_session}/", wait_until="domcontentloaded")
    assert page.evaluate("htmx.config.timeout") == 15_000
    panel = page.locator("[data-part=latency]")
    words = {"an error": "The server answered 500.", "no answer": "No answer came in time.",
             "no connection": "Loom could not be reached."}  # fmt: skip
    expect(panel.get_by_role("alert")).to_contain_text(f"This part did not load.{words[failure]}")
    expect(panel.locator(".skeleton")).to_have_count(0)
    assert axe_findings(page) == []
    panel.get_by_role("button", name="Try again").click()
    expect(panel).to_contain_text("Time to first token")
    expect(panel.get_by_role("alert")).to_have_count(0)


def test_operate_keeps_its_figures_where_a_filter_fails(page: Page, loom: Loom, finished_session: str) -> None:
    page.goto(f"{loom.url}/operate/")
    page.route("**/operate/?*", lambda route: route.fulfill(status=500, body="no"))
    page.locator("#filter-agent").select_option(label=AGENT)
    operate = page.locator("#operate")
    expect(operate.get_by_role("alert")).to_contain_text("The server answered 500.")
    expect(operate.get_by_role("heading", name="Recent invocations")).to_be_visible()
    page.unroute("**/operate/?*")
    operate.get_by_role("button", name="Try again").click()
    expect(page).to_have_url(
        re.compile(r"/operate/\?(\w+=[^&]+&)*agent=\d+(&\w+=[^&]+)*$")
    )  # and nothing that was not asked for
    expect(operate.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#announcer")).to_contain_text("Invocations made by Loom")


def test_what_a_filter_found_is_told(page: Page, loom: Loom, finished_session: str) -> None:
    page.goto(f"{loom.url}/agents/")
    page.locator("[data-search]").fill("travel")
    expect(page.locator("#announcer")).to_have_text("1 agents")
    page.locator("[data-search]").fill("zzz")
    expect(page.locator("#announcer")).to_have_text(re.compile("No agent matches"))


def test_times_have_one_clock_and_ranges_the_readers_zone(far_away: Page, loom: Loom, finished_session: str) -> None:
    page = far_away
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    expect(page.locator(".turn-who time")).to_have_text(re.compile(r"^([A-Z]\w+ \d+ )?[0-2]\d:\d\d:\d\d$"))
    expect(page.locator(".figure-instants time").first).to_have_text(re.compile(r"[0-2]\d:\d\d:\d\d\.\d{3}$"))
    expect(page.locator(".turn-who time")).to_have_attribute("title", re.compile(r"GMT\+5:30 \(.*\+00:00\)$"))
    assert not re.search(r"\b[AP]M\b", page.locator("body").inner_text())

    page.goto(f"{loom.url}/sessions/")
    when = page.locator("tbody .row-when time").first
    expect(when).to_have_text(re.compile(r"^(just now|\d+ min ago)$"))
    expect(when).to_have_attribute("title", re.compile(r"GMT\+5:30"))

    page.goto(f"{loom.url}/operate/?range=custom&from=2026-11-20T10:00&to=2026-11-20T12:15")
    first, last = page.get_by_label("From"), page.get_by_label("To", exact=True)
    expect(first).to_have_value("2026-11-20T15:30")
    expect(last).to_have_value("2026-11-20T17:45")
    expect(page.locator("[data-zone]")).to_have_text(re.compile("^Asia/(Kolkata|Calcutta)$"))
    first.fill("2026-11-20T06:30")
    page.get_by_role("button", name="Apply").click()
    expect(page).to_have_url(re.compile("from=2026-11-20T01(:|%3A)00&to=2026-11-20T12(:|%3A)15"))
    expect(first).to_have_value("2026-11-20T06:30")


def test_without_sockets_nothing_is_promised_and_the_answer_is_read_after_a_reload(
    page: Page, loom: Loom, finished_session: str
) -> None:
    page.add_init_script(NO_SOCKETS)
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    banner, pending = page.locator("[data-part=connection]"), page.locator("[data-part=pending]")
    expect(banner).to_contain_text("No live connection: WebSockets do not get through.")
    expect(banner).not_to_contain_text("you will see")
    composer(page).fill("And on Sunday?")
    composer(page).press("Enter")
    expect(pending).to_contain_text("Not sent: there is no live connection.")
    pending.get_by_role("button", name="Send without the connection").click()
    expect(page.locator("article")).to_have_count(2)
    expect(banner).to_be_visible()
    expect(pending).to_be_hidden()  # the turn is there: nothing is to be confirmed any more
    expect(composer(page)).to_be_editable()


@pytest.mark.parametrize("missing", ["**/htmx-2.min.js", "**/live.js"])
def test_a_page_whose_script_did_not_come_says_so_and_sends_all_the_same(
    page: Page, loom: Loom, finished_session: str, missing: str
) -> None:
    page.route(missing, lambda route: route.abort())
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    if "htmx" in missing:
        expect(page.locator("[data-part=connection]")).to_contain_text("A script did not load: reload the page")
        expect(page.locator("[data-part=latency]")).to_contain_text("A script of this page did not load.")
    composer(page).fill("And on Sunday?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("article")).to_have_count(2)


def test_without_scripts_there_is_a_way_to_the_rest_and_no_dead_button(
    chromium: Browser, loom: Loom, finished_session: str
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    expect(page.get_by_role("link", name="Reload")).to_be_visible()
    assert "A script fetches the figures." in page.locator("[data-part=latency]").inner_text()
    assert page.locator(".skeleton:visible, button[type=button]:visible").count() == 0
    page.goto(f"{loom.url}/agents/")
    dead = page.locator("button[type=button]:visible").evaluate_all("(all) => all.map((one) => one.outerHTML)")
    assert dead == []
    context.close()


def test_text_from_right_to_left_is_set_so_and_tricks_with_direction_are_seen(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id(AGENT), ARABIC).finish()
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    for text in (page.locator("h1"), page.locator("article .prompt")):
        expect(text).to_have_text(ARABIC)
        expect(text).to_have_css("direction", "rtl")
        expect(text).to_have_css("unicode-bidi", "isolate")
    Prompt(loom, loom.agent_id(AGENT), "open \u202eevil.txt").finish()
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    expect(page.locator("h1")).to_have_text("open ‹U+202E›evil.txt")
    expect(page.locator("article .prompt")).to_have_text("open ‹U+202E›evil.txt")
    expect(page).to_have_title("open ‹U+202E›evil.txt · Loom")
    page.goto(f"{loom.url}/sessions/")
    expect(page.locator("tbody .excerpt").first).to_have_text("open ‹U+202E›evil.txt")


STATES = {
    "/operate/": [".nav a", ".segments a", "[data-theme-choice]"],
    "/sessions/{session}/": [".nav a", ".modes label", "[data-theme-choice]"],
}
COLOURS = """(all) => all.map((one) => [
    one.matches("[aria-current], [aria-pressed=true], :has(:checked)"), getComputedStyle(one).backgroundColor])"""


@pytest.mark.parametrize("path", STATES)
def test_in_forced_colours_what_is_chosen_differs_from_its_neighbours(
    page: Page, loom: Loom, finished_session: str, path: str
) -> None:
    page.emulate_media(forced_colors="active")
    page.goto(loom.url + path.format(session=finished_session))
    settle(page)
    for selector in STATES[path]:
        found = page.locator(selector).evaluate_all(COLOURS)
        chosen = {colour for is_chosen, colour in found if is_chosen}
        others = {colour for is_chosen, colour in found if not is_chosen}
        assert chosen and others and not chosen & others, (selector, found)


@pytest.mark.parametrize(("width", "height"), [(320, 256), (390, 844), (844, 390), (1280, 900)])
def test_nothing_that_has_the_focus_is_covered(
    page: Page, loom: Loom, finished_session: str, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    for path in (f"/sessions/{finished_session}/", "/sessions/", "/operate/"):
        page.goto(loom.url + path)
        settle(page)
        assert (path, page.evaluate(COVERED)) == (path, [])


def test_at_400_percent_the_content_has_the_window(page: Page, loom: Loom, finished_session: str) -> None:
    page.set_viewport_size({"width": 320, "height": 256})
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    fixed = page.locator("body *").evaluate_all(
        "(all) => all.filter((one) => ['fixed', 'sticky'].includes(getComputedStyle(one).position)"
        " && one.checkVisibility() && !one.matches('.skip, .toasts')).map((one) => one.className)"
    )
    assert fixed == []


def test_a_click_beside_a_dialog_closes_it_and_marking_text_does_not(
    page: Page, loom: Loom, finished_session: str
) -> None:
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    page.locator("summary[aria-label='What can be done with this session']").click()
    page.get_by_role("button", name="Rename").click()
    dialog = page.get_by_role("dialog", name="Rename the session")
    field: Any = dialog.get_by_label("Title").bounding_box()
    page.mouse.move(field["x"] + 50, field["y"] + 10)
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    expect(dialog).to_be_visible()
    page.mouse.click(5, 5)
    expect(dialog).to_be_hidden()
