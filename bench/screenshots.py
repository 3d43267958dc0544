"""The pictures in docs/images, taken anew: python -m bench.screenshots [--url http://127.0.0.1:8000]

Without --url it starts `manage.py dev` on free ports with a database of its own and ends it afterwards. It sends the
demo agents some prompts, in Chromium and over the API, so that the pages have something to show, then photographs every
page: light, dark, and 390 pixels wide.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.first_light import free_port, started

TOP = Path(__file__).resolve().parent.parent
IMAGES = TOP / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# name of the picture's kind: theme and size of the window
KINDS = {"light": ("light", DESKTOP), "dark": ("dark", DESKTOP), "phone": ("light", PHONE)}
AGENT = "travel_concierge"
PROMPTS = ("Plan a rainy weekend in Lyon for two, by train.", "And if it is sunny on Sunday?")
# What others asked before: (agent, prompt), each a session of its own.
EARLIER = [
    *(("code_tutor", prompt) for prompt in ("Explain generators", "What is a closure?", "Why is my loop slow?")),
    *(("contract_reviewer", prompt) for prompt in ("Which clause is unusual?", "Summarise the liability")),
    *(("inventory_analyst", prompt) for prompt in ("What runs out this week?", "Compare both warehouses")),
    *(("claims_intake", prompt) for prompt in ("A broken window", "Hail on a parked car")),
    *(("sentiment_scorer", prompt) for prompt in ("The train was late again", "Lovely staff")),
    *((AGENT, prompt) for prompt in ("Two days in Ghent", "Where is it warm in March?", "Porto with a child of four")),
]
START_WITHIN_S = 90
ANSWER_WITHIN_MS = 60_000
# The logs need a moment to arrive; a picture of "waiting for CloudWatch" would be true, but less telling.
MEASURED_WITHIN_MS = 90_000


def is_answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as response:  # noqa: S310 -- a loopback address
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def demo_server(**settings: str) -> Iterator[tuple[str, str]]:
    """`manage.py dev` in emulator mode with an empty database; yields its address and its emulator's, ends it as Ctrl-C
    does.
    """
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        port, emulator_port = free_port(), free_port()
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ} | {
            "LOOM_ENVIRONMENT_FILE": "",
            "LOOM_AWS": "emulator",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DEBUG": "1",
            "AUTH_DISABLED": "1",
            "BACKEND_PORT": str(port),
            "EMULATOR_PORT": str(emulator_port),
            "DATABASE_URL": f"sqlite:///{folder}/loom.db",
            **settings,
        }
        url = f"http://127.0.0.1:{port}"
        with started([sys.executable, "manage.py", "dev"], TOP, environment) as server:
            deadline = time.monotonic() + START_WITHIN_S
            while not is_answering(url):
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("manage.py dev did not start; its output is above")
                time.sleep(0.2)
            yield url, f"http://127.0.0.1:{emulator_port}"


def _call(url: str, body: dict[str, str] | None = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 -- loopback
    with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_MS / 1000) as response:  # noqa: S310 -- loopback
        return bytes(response.read())


def run_earlier(url: str) -> None:
    """Let the demo agents answer what was asked before, some at a time."""
    ids = {agent["name"]: agent["id"] for agent in json.loads(_call(f"{url}/api/agents"))}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda asked: _call(f"{url}/api/agents/{ids[asked[0]]}/invoke", {"prompt": asked[1]}), EARLIER))


def run_demo(page: Page, url: str) -> dict[str, str]:
    """Hold a short conversation with the demo agent; return the address of each page to photograph."""
    page.goto(f"{url}/agents/")
    page.get_by_role("link", name=AGENT).first.click()
    agent = page.url
    page.get_by_label("Prompt").first.fill(PROMPTS[0])
    page.get_by_role("button", name="Start session").click()
    page.wait_for_url(re.compile("/sessions/"))
    send = page.get_by_role("button", name="Send", exact=True)
    expect(send).to_be_visible(timeout=ANSWER_WITHIN_MS)
    page.locator("[data-part=prompt]").fill(PROMPTS[1])
    send.click()
    expect(page.locator(".turn-pair")).to_have_count(2, timeout=ANSWER_WITHIN_MS)
    expect(page.locator(".turn-pair.is-running")).to_have_count(0, timeout=ANSWER_WITHIN_MS)
    not_settled = re.compile("waiting for CloudWatch|provisional")
    expect(page.locator("[data-part=latency]")).not_to_contain_text(not_settled, timeout=MEASURED_WITHIN_MS)
    session = page.url
    # The first history of the demo measured the start of every agent; this one's series is the newest of its agent.
    page.goto(f"{agent}measure/")
    series = page.locator("a[href*='/start-series/']").first
    expect(series).to_be_visible(timeout=ANSWER_WITHIN_MS)
    series_url = f"{url}{series.get_attribute('href')}"
    page.goto(series_url)
    expect(page.locator("#series")).to_contain_text("Over since", timeout=MEASURED_WITHIN_MS)
    return {
        "agents": f"{url}/agents/",
        "agent": agent,
        "settings": f"{agent}settings/",
        "import": f"{url}/agents/import/",
        "sessions": f"{url}/sessions/",
        "new-session": f"{url}/sessions/new/",
        "session": session,
        "logs": f"{session}logs/",
        "operate": f"{url}/operate/",
        "series": series_url,
        "nowhere": f"{url}/nowhere/",
        "admin": f"{url}/admin/agent_sessions/invocation/",
        "api": f"{url}/api/docs",
        "sign-in": f"{url}/accounts/login/",
    }


def photograph(browser: Browser, addresses: dict[str, str]) -> None:
    """Write docs/images/<page>-<kind>.png for every page and kind."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for kind, (theme, size) in KINDS.items():
        context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        # Loom's own switch, and the administration's.
        context.add_init_script(f"for (const key of ['loom.theme', 'theme']) localStorage.setItem(key, '{theme}')")
        page = context.new_page()
        for name, address in addresses.items():
            page.goto(address)
            # Fragments are fetched after the page, and a socket stays open: the skeletons tell when all is there.
            expect(page.locator(".skeleton")).to_have_count(0, timeout=ANSWER_WITHIN_MS)
            if name == "api":
                expect(page.locator(".opblock").first).to_be_visible()
            # A session opens at its end, a frame after its last piece came.
            page.evaluate("new Promise((done) => setTimeout(() => { window.scrollTo(0, 0); done(); }, 200))")
            page.screenshot(path=IMAGES / f"{name}-{kind}.png")
            sys.stdout.write(f"docs/images/{name}-{kind}.png\n")
        context.close()


def take_pictures(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        try:
            page = browser.new_page(viewport=DESKTOP)  # type: ignore[arg-type]
            run_earlier(url)
            photograph(browser, run_demo(page, url))
        finally:
            browser.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--url", help="a running Loom with the demo agents, instead of one started for this")
    chosen = options.parse_args()
    if chosen.url:
        take_pictures(chosen.url.rstrip("/"))
    else:
        with demo_server() as (url, _emulator):
            take_pictures(url)


if __name__ == "__main__":
    main()
