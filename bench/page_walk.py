"""Every page in every state as a picture: python -m bench.page_walk [--into build/pictures] [--only runs]

It starts `manage.py dev` on free ports with an empty database and ends it afterwards. Pages are taken while there is
nothing, then filled: long names and texts, failures, what is shared and compared; then taken again, and with what can
go wrong on them. Light, dark, and 390 pixels wide. `index.html` beside the pictures shows all of them.
"""

from __future__ import annotations

import argparse
import html
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bench.screenshots import ANSWER_WITHIN_MS, CHROMIUM, CHROMIUM_ARGUMENTS, KINDS, TOP, demo_server, is_answering

TALKER, TOOLS, QUICK = "travel_concierge", "inventory_analyst", "sentiment_scorer"
LONG = (
    "Compare every night train from Ljubljana to anywhere with a harbour, and_a_name_without_any_space_that_is_far_too_"
    "long_for_a_cell_of_a_table, for a family of five with a dog, in the second week of May. "
)
TALLEST = 12_000


class Filler:
    """Fills a Loom over its API, and its emulator with faults."""

    def __init__(self, url: str, emulator: str) -> None:
        self.url, self.emulator = url, emulator
        self.agents = {agent["name"]: agent["id"] for agent in self.call("GET", "/agents")}

    def call(self, method: str, path: str, body: object = None, base: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 -- loopback
            f"{base or f'{self.url}/api'}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_MS / 1000) as response:  # noqa: S310 -- loopback
            text = response.read()
        return json.loads(text) if text else None

    def ask(self, agent: str, prompt: str, session: str | None = None) -> tuple[str, str, int]:
        """Send a prompt and wait; return the runtime session id, the page of the session, and the run's id."""
        body = {"prompt": prompt, "stream": False} | ({"session_id": session} if session else {})
        try:
            session = self.call("POST", f"/agents/{self.agents[agent]}/invoke", body)["session_id"]
        except urllib.error.HTTPError as error:
            session = json.loads(error.read())["details"]["sessionId"]
        found = self.call("GET", f"/agents/{self.agents[agent]}/sessions/{session}")
        return session or "", f"{self.url}{found['url']}", found["invocations"][-1]["id"]

    def order(self, **fault: object) -> None:
        self.call("POST", "/_emulator/faults", fault, base=self.emulator)

    def fill(self) -> dict[str, str]:
        """Make something of every kind; return the addresses of the pages that show it."""
        session, page, run = self.ask(TALKER, LONG * 3)
        self.ask(TALKER, "And back?", session)
        _, _, other = self.ask(TALKER, "Two days in Ghent")
        _, tools, with_tools = self.ask(TOOLS, "What runs out this week?")
        self.order(kind="error", operation="InvokeAgentRuntime", code="RuntimeClientError", status=424, message=LONG)
        _, failed, _ = self.ask(QUICK, "This one goes wrong")
        self.order(kind="cut", after_chunks=3)
        _, cut, _ = self.ask(TALKER, "This one is cut off")
        self.call("PUT", f"/runs/{run}/rating", {"thumb": "down", "note": LONG})
        self.call("POST", "/runs/tag", {"run_ids": [run, other], "tag": "a tag as long as a tag may be, forty cha"})
        for name in ("Failed", "Of the harbour, by name and by everything that was ever said of it"):
            self.call("POST", "/views", {"name": name[:60], "query": "status=failed"})
        self.call("POST", f"/agents/{self.agents[TALKER]}/sessions/{session}/links", {"days": 1})
        return {
            **self._of_agent(), **self._of_session("long", page), **self._of_session("tools", tools),
            "session-failed": failed, "session-cut": cut, "run-rating": f"{self.url}/runs/{run}/rating/",
            "runs-words": f"{self.url}/runs/?q=ghent", "runs-by-tokens": f"{self.url}/runs/?sort=-tokens_out",
            "compare-runs": f"{self.url}/compare/?runs={run},{other},{with_tools}",
            "operate-agent": f"{self.url}/operate/?agent={self.agents[TALKER]}",
            "operate-failed": f"{self.url}/operate/?show=failed", **self._of_plans(),
        }  # fmt: skip

    def _of_agent(self) -> dict[str, str]:
        key = self.agents[TALKER]
        agent = f"{self.url}/agents/{key}/"
        parts = {
            part: f"{agent}{part}/" for part in ("sessions", "runs", "measure", "keep-warm", "versions", "settings")
        }
        logs = {"logs": f"{self.url}/sessions/logs/{key}/", "doctor": f"{self.url}/sessions/logs/{key}/doctor/"}
        return {"agent": agent, **{f"agent-{part}": address for part, address in {**parts, **logs}.items()}}

    @staticmethod
    def _of_session(name: str, page: str) -> dict[str, str]:
        parts = {
            "logs": "logs/", "doctor": "logs/doctor/", "timeline": "timeline/1/", "replay": "replay/1/",
            "again": "runs/1/again/", "take-out": "take-out/",
        }  # fmt: skip
        return {f"session-{name}": page, **{f"session-{name}-{part}": f"{page}{path}" for part, path in parts.items()}}

    def _of_plans(self) -> dict[str, str]:
        checks = [{"kind": "contains", "text": "Ghent"}, {"kind": "regex", "pattern": "a{3}" * 40}]
        prompts = [{"prompt": LONG, "checks": checks}, {"prompt": "Two days in Ghent", "checks": checks[:1]}]
        one = self.call("POST", "/prompt-sets", {"name": "Trips", "prompts": prompts})
        self.call("POST", "/prompt-sets", {"name": LONG[:120], "prompts": prompts[:1]})
        targets = [{"agent_id": self.agents[name]} for name in (TALKER, QUICK)]
        plan = self.call("POST", f"/prompt-sets/{one['id']}/run", {"targets": targets, "at_once": 4})["id"]
        beside = self.call("POST", "/side-by-side", {"targets": targets, "prompt": LONG})["id"]
        series = self.call("POST", f"/agents/{self.agents[QUICK]}/start-series", {"prompt": "Hi", "count": 2})["id"]
        sets = f"{self.url}/prompt-sets/{one['id']}/"
        return {
            "set": sets, "set-prompt": f"{sets}prompts/{one['prompts'][0]['id']}/",
            "set-new-prompt": f"{sets}prompts/new/", "set-rename": f"{sets}rename/", "set-delete": f"{sets}delete/",
            "set-replay": f"{sets}replay/", "set-results": f"{sets}results/{plan}/",
            "set-result": f"{sets}results/{plan}/prompts/1/", "compare-plan": f"{self.url}/compare/{beside}/",
            "series": f"{self.url}/operate/start-series/{series}/",
        }  # fmt: skip


# Pages that there are before anything is there.
LISTS = {
    "agents": "/agents/", "agents-archived": "/agents/?state=archived", "register": "/agents/register/",
    "import": "/agents/import/", "sessions": "/sessions/", "new-session": "/sessions/new/", "runs": "/runs/",
    "sets": "/prompt-sets/", "set-new": "/prompt-sets/new/", "compare": "/compare/", "compare-new": "/compare/new/",
    "operate": "/operate/", "environments": "/operate/environments/", "cold-starts": "/operate/cold-starts/",
    "benches": "/bench/", "bench-new": "/bench/new/", "targets": "/compare/targets/", "costs": "/costs/",
    "alerts": "/alerts/", "alert-rules": "/alerts/rules/", "alert-rule-new": "/alerts/rules/new/",
    "alert-channels": "/alerts/channels/", "aws-accounts": "/aws-accounts/", "aws-account-new": "/aws-accounts/new/",
    "deleted": "/sessions/deleted/", "evidence": "/evidence/", "api": "/api/docs", "design": "/design/",
}  # fmt: skip
# What goes wrong, or finds nothing.
WRONG = {
    "nowhere": "/nowhere/", "agents-none": "/agents/?q=zzzz", "sessions-none": "/sessions/?q=zzzz",
    "runs-none": "/runs/?q=zzzz", "runs-odd": "/runs/?status=odd&range=odd", "sets-none": "/prompt-sets/?q=zzzz",
    "compare-odd": "/compare/?runs=1", "compare-none": "/compare/?q=zzzz",
    "operate-odd": "/operate/?range=custom&from=x",
    "no-session": "/sessions/00000000-0000-4000-8000-000000000000/", "no-agent": "/agents/999999/",
}  # fmt: skip


class Walk:
    """Photographs addresses into a folder, in each kind."""

    def __init__(self, browser: Browser, folder: Path, only: str) -> None:
        self._folder, self._only = folder, only
        self._pages = {kind: self._page(browser, *of) for kind, of in KINDS.items()}
        self.taken: list[str] = []

    @staticmethod
    def _page(browser: Browser, theme: str, size: dict[str, int]) -> Page:
        context: BrowserContext = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        context.add_init_script(f"for (const key of ['loom.theme', 'theme']) localStorage.setItem(key, '{theme}')")
        return context.new_page()

    def take(self, state: str, addresses: dict[str, str]) -> None:
        for name, address in addresses.items():
            if self._only in name:
                for kind, page in self._pages.items():
                    self._photograph(page, f"{name}-{state}-{kind}", address)

    def _photograph(self, page: Page, name: str, address: str) -> None:
        page.goto(address)
        expect(page.locator(".skeleton:visible")).to_have_count(0, timeout=ANSWER_WITHIN_MS)
        if address.endswith("/api/docs"):
            expect(page.locator(".opblock").first).to_be_visible()
        page.evaluate("new Promise((done) => setTimeout(() => { window.scrollTo(0, 0); done(); }, 200))")
        width, wide, height = page.evaluate(
            "[innerWidth, document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        page.screenshot(path=self._folder / f"{name}.png", full_page=height < TALLEST)
        self.taken.append(name)
        print(f"{name}.png{' SCROLLS SIDEWAYS' if wide > width else ''}", flush=True)

    def write_index(self) -> None:
        figures = "".join(
            f'<figure><img src="{name}.png" alt=""><figcaption>{html.escape(name)}</figcaption></figure>'
            for name in self.taken
        )
        style = "body{display:flex;flex-wrap:wrap;gap:8px}img{width:420px}figure{margin:0}"
        (self._folder / "index.html").write_text(f"<!doctype html><style>{style}</style>{figures}")


@contextmanager
def opened() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--into", type=Path, default=TOP / "build" / "pictures", metavar="FOLDER")
    options.add_argument("--only", default="", metavar="PART", help="pages whose names hold this")
    chosen = options.parse_args()
    chosen.into.mkdir(parents=True, exist_ok=True)
    with demo_server(DEMO_HISTORY="0") as (url, emulator), opened() as browser:
        if not is_answering(url):
            sys.exit("Loom does not answer.")
        walk = Walk(browser, chosen.into, chosen.only)
        lists = {name: f"{url}{path}" for name, path in LISTS.items()}
        walk.take("empty", lists)
        found = Filler(url, emulator).fill()
        walk.take("full", {**lists, **found})
        walk.take("wrong", {name: f"{url}{path}" for name, path in WRONG.items()})
        walk.write_index()


if __name__ == "__main__":
    main()
