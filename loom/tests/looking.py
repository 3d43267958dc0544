"""Looking at a page as its strictest readers do: content policy, console, axe, a narrow window, foreign requests."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Reports reach the page itself as events; they are kept from its first moment on.
KEEP_REPORTS = """
window.reports = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.reports.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Only what was violated leaves the page: all that was looked at would be megabytes.
RUN_AXE = "async (options) => (await axe.run(options)).violations"

# A label leads to the first element of an id, and so do a swap and an anchor.
REPEATED_IDS = """[...document.querySelectorAll('[id]')].map((element) => element.id)
    .filter((id, place, ids) => ids.indexOf(id) !== place)"""


class Witness:
    """Keeps what a browser page complains of, and every request of its that leaves the machine or fails."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.add_init_script(KEEP_REPORTS)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.context.on("request", self._see)
        page.on("websocket", lambda socket: self._check_host(socket.url))
        page.on("response", lambda answer: self._check_status(answer.status, answer.url))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")

    def _see(self, request: Request) -> None:
        self.requests.append(urlsplit(request.url).path)
        self._check_host(request.url)

    def _check_host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob"} and parts.hostname != "127.0.0.1":
            self.complaints.append(f"left the machine: {url}")

    def _check_status(self, status: int, url: str) -> None:
        if status >= 400:
            self.complaints.append(f"{status} {url}")

    def all_complaints(self) -> list[str]:
        """What was complained of so far, with the reports of the page that is open."""
        reports: list[str] = self.page.evaluate("window.reports")
        return [*self.complaints, *(f"report: {report}" for report in reports)]


def picker(page: Page | Locator, label: str) -> Locator:
    """The field of this label that is searched, once it has taken the place of the plain choice."""
    return page.locator(".picker").get_by_role("combobox", name=label, exact=True)


def choose_target(page: Page | Locator, label: str, agent: str, endpoint: str = "DEFAULT") -> None:
    """Choose an agent's endpoint in a field that is searched, by a piece of its name."""
    field = picker(page, label)
    field.fill(agent[:-1])
    page.get_by_role("option", name=re.compile(rf"^{agent} · {endpoint}\b")).click()
    expect(field).to_have_value(re.compile(rf"^{agent} · {endpoint}\b"))


def settle(page: Page) -> None:
    """Wait until the fragments have come that a page asks for by itself, and what looks after its keys."""
    page.wait_for_load_state("load")
    expect(page.locator(".skeleton")).to_have_count(0, timeout=60_000)
    expect(page.locator("[data-keys]:not([aria-haspopup])")).to_have_count(0)


def axe_findings(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe objects to: the rule, and where."""
    # Preloading would copy the style sheets into the page, which the content policy refuses.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    if page.evaluate("typeof axe") == "undefined":  # three looks at a page need it once
        page.evaluate(AXE_SCRIPT)
    violations = page.evaluate(RUN_AXE, options)
    return [
        f"{violation['id']}: {node['target']} {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for violation in violations
        for node in violation["nodes"]
    ]


def look(page: Page) -> list[str]:
    """Look at the page that is open in light, in dark and on a phone; say what is wrong with it."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = [f"light: {finding}" for finding in axe_findings(page)]
    found += [f"id on several elements: {repeated}" for repeated in page.evaluate(REPEATED_IDS)]
    # Colours are all that differs.
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += [f"dark: {finding}" for finding in axe_findings(page, ["color-contrast", "link-in-text-block"])]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    too_wide: int = page.evaluate(SIDEWAYS)
    if too_wide > 0:
        found.append(f"phone: {too_wide} pixels too wide")
    found += [f"phone: {finding}" for finding in axe_findings(page, ["scrollable-region-focusable", "target-size"])]
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return found
