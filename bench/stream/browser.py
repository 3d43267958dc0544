"""When the first token stands on the screen: a headless Chromium on a session's page, prompt after prompt.

    python -m bench.stream.browser --url http://127.0.0.1:8000/… --cookie sessionid=… --prompt "30 30" --prompts 15

Prints one JSON object: `painted_ms`, from the click on Send to the frame in which the first token is painted, and
`finished_ms`, to the frame in which the finished turn is. Both by the browser's own clock.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic",
]  # fmt: skip
PATIENCE_MS = 60_000

# Runs in the page's world by the debugging protocol, which the content security policy does not concern. A callback of
# requestAnimationFrame runs before its frame is painted; a task posted from there runs after.
ASK = """
(prompt) => new Promise((resolve) => {
  const transcript = document.querySelector("[data-part=transcript], #transcript");
  const before = transcript.textContent.match(/Z[0-9a-f]{12}/g)?.length ?? 0;
  const form = document.querySelector(".composer form");
  const painted = (take) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => take(performance.now());
    channel.port2.postMessage(0);
  });
  let first = null;
  const observer = new MutationObserver(() => {
    const count = transcript.textContent.match(/Z[0-9a-f]{12}/g)?.length ?? 0;
    if (first === null && count > before) { first = 0; painted((now) => { first = now; }); }
    if (first && !transcript.querySelector(".is-running")) {
      observer.disconnect();
      painted((now) => resolve([first - asked, now - asked, count - before]));
    }
  });
  observer.observe(transcript, { childList: true, subtree: true, characterData: true, attributes: true });
  form.querySelector("textarea").value = prompt;
  const asked = performance.now();
  form.requestSubmit();
})
"""


def ask_all(page: Page, prompt: str, count: int) -> dict[str, Any]:
    """Send the prompt so many times, one after another; the first one warms everything up and is left out."""
    painted, finished, tokens = [], [], []
    for number in range(count + 1):
        page.wait_for_selector(".composer textarea:not([disabled]):not([readonly])", timeout=PATIENCE_MS)
        first_ms, end_ms, token_count = page.evaluate(ASK, prompt)
        if number:
            painted.append(first_ms)
            finished.append(end_ms)
            tokens.append(token_count)
    return {"painted_ms": painted, "finished_ms": finished, "tokens": tokens}


def main() -> None:
    options = argparse.ArgumentParser(description="When the first token stands on the screen.")
    options.add_argument("--url", required=True)
    options.add_argument("--cookie", required=True)
    options.add_argument("--prompt", required=True)
    options.add_argument("--prompts", type=int, default=15)
    options.add_argument("--core", type=int)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    name, _, value = chosen.cookie.partition("=")
    host = urlsplit(chosen.url).hostname
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": value, "domain": host, "path": "/"}])
        page = context.new_page()
        page.goto(chosen.url)
        print(json.dumps(ask_all(page, chosen.prompt, chosen.prompts)))
        browser.close()


if __name__ == "__main__":
    main()
