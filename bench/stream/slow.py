"""A page on a slow machine: how long an answer of a minute takes to be complete on its screen.

    python -m bench.stream.slow [--seconds 60] [--rate 30] [--throttle 4]

Chromium slows its main thread down (`Emulation.setCPUThrottlingRate`). Prints one JSON object: `finished_s`, from the
click on Send to the painted end; `tokens`, and whether each of them stands on the page once and in order; the time that
the main thread was busy with scripts, styles and layout; long tasks and the longest.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.stream.beds import HERE, LoomBed
from bench.stream.browser import ARGUMENTS
from bench.stream.servers import Cores, source

PATIENCE_MS = 600_000
BUSY = ("TaskDuration", "ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
LONG_TASKS = """() => {
  window.longTasks = [];
  new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration)))
    .observe({ entryTypes: ["longtask"] });
}"""
# Looks only at which turns there are, so that what is measured is the page's own work.
FOLLOW = """
(prompt) => new Promise((resolve) => {
  const transcript = document.querySelector("[data-part=transcript], #transcript");
  const form = document.querySelector(".composer form");
  let hasBegun = false;
  const observer = new MutationObserver(() => {
    const isRunning = transcript.querySelector(".is-running") !== null;
    hasBegun ||= isRunning;
    if (!hasBegun || isRunning) return;
    observer.disconnect();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => resolve((performance.now() - asked) / 1000);
      channel.port2.postMessage(0);
    });
  });
  observer.observe(transcript, { childList: true });
  form.querySelector("textarea").value = prompt;
  const asked = performance.now();
  form.requestSubmit();
})
"""
NUMBERS = "() => document.querySelector('article:last-of-type').textContent.match(/Z[0-9a-f]{4}(?=[0-9a-f]{8})/g)"


def follow(page: Page, prompt: str, throttle: int) -> dict[str, Any]:
    """Send the prompt on a page of so many times less speed, and wait for the end of its answer."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": throttle})
    page.evaluate(LONG_TASKS)
    before = metrics(session.send("Performance.getMetrics"))
    finished_s = page.evaluate(FOLLOW, prompt)
    after = metrics(session.send("Performance.getMetrics"))
    session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    numbers = [int(number[1:], 16) for number in page.evaluate(NUMBERS) or []]
    tasks = page.evaluate("window.longTasks")
    return {
        "finished_s": round(finished_s, 2),
        "tokens": len(numbers),
        "is_complete": numbers == list(range(len(numbers))),
        "busy_s": {name: round(after[name] - before[name], 2) for name in BUSY},
        "long_tasks": len(tasks),
        "longest_ms": round(max(tasks, default=0)),
    }


def metrics(told: dict[str, Any]) -> dict[str, float]:
    return {metric["name"]: metric["value"] for metric in told["metrics"]}


def main() -> None:
    options = argparse.ArgumentParser(description="How long an answer takes to be complete on a slow screen.")
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--rate", type=int, default=30, help="tokens a second")
    options.add_argument("--throttle", type=int, default=4)
    chosen = options.parse_args()
    cores = Cores(None, None)
    with tempfile.TemporaryDirectory(prefix="bench-slow-") as name, source(cores) as (port, _):
        bed = LoomBed(HERE, Path(name), port, 1, cores)
        with bed.started(), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            context = browser.new_context()
            cookie, _, value = bed.cookie.partition("=")
            context.add_cookies([{"name": cookie, "value": value, "domain": "127.0.0.1", "path": "/"}])
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{bed.port}/sessions/{bed.sessions[0]['public_id']}/")
            page.wait_for_selector(".composer textarea:not([readonly])")
            print(json.dumps(follow(page, f"{chosen.rate} {chosen.rate * chosen.seconds}", chosen.throttle)))
            browser.close()


if __name__ == "__main__":
    main()
