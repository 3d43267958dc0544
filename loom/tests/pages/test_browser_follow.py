"""A session page in headless Chromium whose connection breaks, while real processes run, end and take over."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from loom.tests.fixtures import Loom
from loom.tests.relay import Relay, relay_to
from loom.tests.running import wait_until
from loom.tests.visiting import Prompt, another_web_process, newest_session_id
from loom_client import Client, Session

pytestmark = pytest.mark.browser


@pytest.fixture
def relay(loom: Loom) -> Iterator[Relay]:
    with relay_to(loom.url) as made:
        yield made


AGENT = "sentiment_scorer"  # answers at once
BACK = "Connected again."
KEEP_SOCKETS = """window.sockets = [];
const Own = window.WebSocket;
window.WebSocket = class extends Own {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
  }
};"""
KEEP_BANNERS = """() => {
  const banner = document.querySelector("[data-part=connection] span");
  window.banners = [];
  new MutationObserver(() => window.banners.push(banner.textContent)).observe(banner, {childList: true});
}"""


@pytest.fixture
def finished_session(loom: Loom) -> str:
    """The public id of a session with one finished run."""
    Prompt(loom, loom.agent_id(AGENT), "Two days in Ghent").finish()
    return newest_session_id(loom)


def open_connected(page: Page, address: str) -> None:
    """Open a session's page and wait for its socket: one that never had any says other things."""
    page.add_init_script(KEEP_SOCKETS)
    page.goto(address)
    is_open = "window.sockets.some(({ readyState }) => readyState === WebSocket.OPEN)"
    wait_until(lambda: page.evaluate(is_open), "the page is connected")


def composer(page: Page) -> Locator:
    return page.locator("[data-part=prompt]")


def newest_session(loom: Loom, agent: str = AGENT) -> Session:
    """The newest session with its runs, as the API tells it: a command beside the page takes seconds to start."""
    client = Client(loom.url)
    agent_id = loom.agent_id(agent)
    [newest] = client.sessions(agent_id, limit=1)
    return client.session(agent_id, newest.session_id)


def prompts_of_newest_session(loom: Loom, agent: str = AGENT) -> list[str]:
    return [run.prompt for run in newest_session(loom, agent).invocations]


def test_a_page_resumes_and_what_it_shows_is_added_to(page: Page, loom: Loom, relay: Relay) -> None:
    loom.emulator.order(kind="silence", after_chunks=40, seconds=3_600)
    prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent")
    prompt.wait_for_chunks(1)
    page.goto(f"{relay.url}/sessions/{newest_session_id(loom)}/")
    # The page shows the turn as its own process tells it, not as the page came with it.
    expect(page.locator("article")).to_have_attribute("data-at", re.compile(r"^\d+:[0-9a-f]{8}:"))
    expect(page.locator(".answer")).to_contain_text("You asked")
    page.evaluate("document.querySelector('article').dataset.kept = 'yes'")
    page.evaluate(KEEP_BANNERS)
    relay.cut()
    expect(page.locator("[data-part=connection]")).to_contain_text("Connection lost, reconnecting")
    relay.mend()
    wait_until(lambda: BACK in page.evaluate("window.banners"), "the page said that it is back")  # for four seconds
    # The same process knows what the page shows: the turn was added to, not replaced.
    expect(page.locator("article")).to_have_attribute("data-kept", "yes")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("article")).to_contain_text("Stopped. Loom closed the connection")
    prompt.finish()

    environment = page.locator("[data-part=environment]")
    expect(environment).to_contain_text("AgentCore keeps it until")
    relay.cut()
    # As it is where the line breaks between the end of an answer and what becomes of the environment.
    environment.evaluate("(card) => { card.dataset.state = 'busy'; card.querySelector('p').textContent = 'In use.' }")
    relay.mend()
    expect(environment).to_contain_text("AgentCore keeps it until")


def test_what_came_before_it_could_be_shown_is_shown_once_where_the_line_breaks(
    page: Page, loom: Loom, relay: Relay
) -> None:
    """The script that shows it is slow, as on a phone; until then the page still says that it shows nothing."""
    loom.emulator.order(kind="silence", after_chunks=40, seconds=3_600)
    prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent")
    prompt.wait_for_chunks(1)
    held: list[Route] = []
    page.route("**/answering.js", lambda route: held.append(route))
    came: list[object] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: came.append(frame)))
    page.add_init_script(f"document.addEventListener('DOMContentLoaded', {KEEP_BANNERS})")
    page.goto(f"{relay.url}/sessions/{newest_session_id(loom)}/")
    wait_until(lambda: page.evaluate("1") == 1 and bool(held and came), "messages wait for their script")
    relay.cut()
    expect(page.locator("[data-part=connection]")).to_contain_text("Connection lost, reconnecting")
    before = len(came)
    relay.mend()
    wait_until(lambda: BACK in page.evaluate("window.banners") and len(came) > before, "it is told again")
    held[0].continue_()

    other = page.context.new_page()
    other.goto(page.url)

    def is_what_a_new_page_shows() -> bool:
        shown, right = (view.locator(".answer").inner_text() for view in (page, other))
        return re.findall(r"\w+", shown) == re.findall(r"\w+", right)

    wait_until(is_what_a_new_page_shows, "each word is shown once")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("article")).to_contain_text("Stopped. Loom closed the connection")
    prompt.finish()


def test_a_page_resumes_on_another_process_and_a_reload_shows_the_same(page: Page, loom: Loom, relay: Relay) -> None:
    with another_web_process(loom) as other:
        loom.emulator.order(kind="silence", after_chunks=40, seconds=5)  # time to change over in the middle
        prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent")
        prompt.wait_for_chunks(1)
        page.goto(f"{relay.url}/sessions/{newest_session_id(loom)}/")
        expect(page.locator(".answer")).to_contain_text("You asked")
        relay.cut()
        banner = page.locator("[data-part=connection]")
        expect(banner).to_contain_text("Connection lost, reconnecting")
        relay.mend(int(other.url.rpartition(":")[2]))
        expect(banner).not_to_contain_text("Connection lost")
        expect(page.locator("article")).to_contain_text("Completed")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
        shown = page.locator(".answer").inner_text()
        page.reload()
        expect(page.locator("article")).to_contain_text("Completed")
        assert page.locator(".answer").inner_text() == shown
    # Markdown is rendered, so that only the words are compared.
    words = re.findall(r"\w+", "".join(prompt.finish().chunks()))
    assert re.findall(r"\w+", shown) == words


def test_a_prompt_that_is_sent_without_a_connection_waits_can_be_taken_back_and_is_sent_once(
    page: Page, loom: Loom, relay: Relay, finished_session: str
) -> None:
    open_connected(page, f"{relay.url}/sessions/{finished_session}/")
    expect(page.locator("[data-part=latency] dd").first).to_be_visible()
    relay.cut()
    expect(page.locator("[data-part=connection]")).to_contain_text("Connection lost, reconnecting")
    composer(page).fill("Never mind")
    composer(page).press("Enter")
    pending = page.locator("[data-part=pending]")
    expect(pending).to_contain_text("Will be sent when the connection is back:")
    pending.get_by_role("button", name="Cancel").click()
    expect(pending).to_be_hidden()
    expect(composer(page)).to_have_value("Never mind")

    composer(page).fill("And on Sunday?")
    composer(page).press("Enter")
    composer(page).press("Enter")
    expect(pending).to_contain_text("And on Sunday?")
    relay.mend()
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    expect(pending).to_be_hidden()
    expect(composer(page)).to_have_value("")
    assert prompts_of_newest_session(loom) == ["Two days in Ghent", "And on Sunday?"]


def test_a_prompt_whose_confirmation_got_lost_is_said_again_and_run_once(
    page: Page, loom: Loom, relay: Relay, finished_session: str
) -> None:
    open_connected(page, f"{relay.url}/sessions/{finished_session}/")
    expect(page.locator("[data-part=latency] dd").first).to_be_visible()
    relay.is_deaf = True
    composer(page).fill("And on Sunday?")
    composer(page).press("Enter")
    wait_until(lambda: len(prompts_of_newest_session(loom)) == 2, "the prompt arrived")
    relay.cut()
    expect(page.locator("[data-part=pending]")).to_contain_text("nothing is sent twice")
    expect(page.locator("[data-part=pending]").get_by_role("button", name="Cancel")).to_be_hidden()
    relay.mend()

    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    expect(page.locator("[data-part=pending]")).to_be_hidden()
    composer(page).fill("Next")
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
    assert prompts_of_newest_session(loom) == ["Two days in Ghent", "And on Sunday?"]


def test_what_was_wrong_is_forgotten_with_the_next_prompt_and_the_field_keeps_the_focus(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent").finish()
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    page.locator("[data-part=composer] .modes").get_by_text("Raw JSON").click()
    page.locator("[data-part=payload]").fill('{"prompt": ')
    page.get_by_role("button", name="Send", exact=True).click()
    problem = page.get_by_role("alert").filter(has_text="It is not JSON")
    expect(problem).to_be_visible()

    page.locator("[data-part=payload]").fill('{"prompt": "And on Sunday?"}')
    page.get_by_role("button", name="Send", exact=True).click()
    expect(problem).to_be_hidden()
    expect(page.locator("[data-part=composer] [aria-invalid]")).to_have_count(0)
    expect(page.locator("article").nth(1)).to_contain_text("Completed")
    expect(page.locator("[data-part=payload]")).to_be_focused()


def test_keys_drafts_and_two_tabs(page: Page, loom: Loom) -> None:
    Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent").finish()
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    page.goto(f"{loom.url}/sessions/{newest_session_id(loom)}/")
    other = page.context.new_page()
    other.goto(page.url)
    composer(other).fill("A draft in the other tab")
    composer(page).fill("First line")
    composer(page).press("Shift+Enter")
    composer(page).press_sequentially("second")
    expect(composer(page)).to_have_value("First line\nsecond")
    # Enter that confirms a word of an input method is not meant for us.
    composer(page).dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True, "cancelable": True})
    expect(page.locator("article")).to_have_count(1)
    composer(page).press("Enter")
    composer(page).press("Enter")

    for tab in (page, other):
        expect(tab.locator("article")).to_have_count(2)
        expect(tab.get_by_role("button", name="Stop")).to_be_visible()
    expect(composer(other)).to_have_value("A draft in the other tab")
    composer(other).press("Enter")  # it is answering: what was typed waits
    for tab in (page, other):
        expect(tab.locator("ol.ahead .excerpt")).to_have_text(["A draft in the other tab"])
    expect(composer(other)).to_have_value("")
    composer(other).fill("Another draft")
    expect(page.locator("article").nth(1).locator(".md").last).not_to_be_empty()
    other.get_by_role("button", name="Stop").click()
    for tab in (page, other):
        expect(tab.locator("article").nth(1)).to_contain_text("Stopped. Loom closed the connection")
        expect(tab.locator("[data-part=environment]")).to_contain_text("AgentCore keeps it until")
        expect(tab.locator("[data-part=ahead]")).to_contain_text("1 prompt is held")
    expect(composer(other)).to_have_value("Another draft")
    expect(composer(page)).to_have_value("")
    page.get_by_role("button", name="Remove prompt 1").click()
    for tab in (page, other):
        expect(tab.locator("ol.ahead")).to_have_count(0)
    page.get_by_role("button", name="Resend").click()
    expect(page.locator("article").nth(2)).to_contain_text("Completed")
    assert prompts_of_newest_session(loom, "travel_concierge")[1:] == ["First line\nsecond"] * 2

    page.locator("[data-part=environment]").get_by_role("button", name="End session").click()
    page.get_by_role("dialog").get_by_role("button", name="End session").click()
    for tab in (page, other):
        expect(tab.locator("[data-part=environment]")).to_contain_text("AWS accepted the end of this session")
        expect(tab.locator("[data-part=environment] button")).to_be_disabled()


def test_without_javascript_a_prompt_is_sent_and_its_answer_read(page: Page, loom: Loom, finished_session: str) -> None:
    def refuse(route: Route) -> None:
        route.abort()

    page.route("**/*.js", refuse)
    page.goto(f"{loom.url}/sessions/{finished_session}/")
    composer(page).fill("And on Sunday?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("article")).to_have_count(2)
    wait_until(lambda: newest_session(loom).invocations[-1].status == "complete", "the answer is complete")
    page.reload()
    expect(page.locator("article").nth(1)).to_contain_text("Completed")


def test_what_was_typed_ahead_meanwhile_is_there_when_the_connection_is_back(
    page: Page, loom: Loom, relay: Relay
) -> None:
    loom.emulator.order(kind="silence", after_chunks=20, seconds=3_600)
    prompt = Prompt(loom, loom.agent_id("travel_concierge"), "Two days in Ghent")
    prompt.wait_for_chunks(1)
    # By its own id: what other tests have begun in the background may be newer.
    path = f"/api/agents/{loom.agent_id('travel_concierge')}/sessions"
    session = prompt.events[0][1]["session_id"]
    open_connected(page, f"{relay.url}/sessions/{loom.get(f'{path}/{session}')[1]['public_id']}/")
    expect(page.locator(".answer")).to_contain_text("You asked")
    relay.cut()
    expect(page.locator("[data-part=connection]")).to_contain_text("Connection lost, reconnecting")
    assert loom.post(f"{path}/{session}/queue", {"prompt": "And on Monday?"})[0] == 202
    expect(page.locator("ol.ahead li")).to_have_count(0)
    relay.mend()
    expect(page.locator("ol.ahead .excerpt")).to_have_text(["And on Monday?"])
    loom.emulator.end_silences()
    prompt.finish()
