"""What a long answer costs who reads it: python -m bench.reading [--throttle 1 4] [--seconds 60]

A headless Chromium, slowed by its own throttle, reads an answer of so many seconds at 30 tokens a second, with keys
typed meanwhile, and opens a session whose answer has a megabyte, where keys are typed too. The agent is a program of
this bench behind the emulator, which says when it wrote its last token. Prints a table in Markdown. An answer ends for
its reader in the frame that shows the finished turn; a keystroke lasts from the key to the frame behind it, as the
browser's Event Timing says, in steps of 8 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.screenshots import CHROMIUM_ARGUMENTS, demo_server
from loom_client import Client

AGENT = "long_reader"
READY = ".composer textarea[data-part=prompt]:not([disabled]):not([readonly])"
TOKENS_A_SECOND = 30
MEGABYTE = 1_000_000
CHARACTERS_OF_TEN = 46  # of ten tokens of the answer below
KEYS = "the quick brown fox jumps over it "
PATIENCE_MS = 120_000
# What an answer is made of, token by token; each round is a section with everything that Markdown has.
SECTION = """## Day {n}

Take the **early train** to the coast, then walk along the [harbour](https://example.com/{n}) for a while.

- bread and *cheese* from the market
- two bottles of water, `n = {n}`
- a map, since the path is not marked

| stop | minutes |
| --- | ---: |
| station | {n} |
| lighthouse | 45 |

```python
def minutes(stops: list[int]) -> int:
    return sum(stops) + {n}
```

"""

# In the page's world by the debugging protocol, which the content policy does not concern. A callback of
# requestAnimationFrame runs before its frame is painted, a task posted from there after it.
WATCH = """() => {
  window.frames_ms = []; window.keys_ms = []; window.long_ms = [];
  let before = performance.now();
  const frame = (now) => { window.frames_ms.push(now - before); before = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
    if (entry.name === "keydown") window.keys_ms.push(entry.duration);
  })).observe({ type: "event", durationThreshold: 16 });
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.long_ms.push(entry.duration)))
    .observe({ type: "longtask" });
}"""
SEND = """(prompt) => {
  const transcript = document.querySelector("[data-part=transcript], #transcript");
  window.ended_at = null;
  const painted = (take) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = take;
    channel.port2.postMessage(0);
  });
  const field = document.querySelector(".composer form textarea[data-part=prompt]");
  field.value = prompt;
  window.sent_at = Date.now();
  field.form.requestSubmit();
  let has_begun = false;
  const observer = new MutationObserver(() => {
    const is_running = transcript.querySelector(".is-running") !== null;
    has_begun ||= is_running;
    if (has_begun && !is_running) { observer.disconnect(); painted(() => { window.ended_at = Date.now(); }); }
  });
  observer.observe(transcript, { childList: true, subtree: true, attributes: true });
}"""


def tokens() -> Iterator[str]:
    """The answer, without an end: words with the blank before them."""
    number = 0
    while True:
        number += 1
        for line in SECTION.format(n=number).splitlines(keepends=True):
            words = line.split(" ")
            yield from (word if place == len(words) - 1 else f"{word} " for place, word in enumerate(words))


class Answering(BaseHTTPRequestHandler):
    """AgentCore's container contract; a prompt `RATE COUNT` is answered by COUNT tokens, RATE of them a second."""

    protocol_version = "HTTP/1.1"
    last_written_at = 0.0

    def do_GET(self) -> None:
        self._whole(b'{"status": "Healthy"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rate, count = (int(word) for word in body["prompt"].split())
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        began = time.monotonic()
        for number, token in zip(range(count), tokens(), strict=False):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            self._chunk(
                f"data: {json.dumps({'event': {'contentBlockDelta': {'delta': {'text': token}}}})}\n\n".encode()
            )
        type(self).last_written_at = time.time()
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _whole(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def agent() -> Iterator[str]:
    """The agent on a free port; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def spread(values: Sequence[float], unit: str = "ms") -> str:
    if len(values) < 2:
        return f"{len(values)} only"
    p95 = quantiles(values, n=20, method="inclusive")[-1]
    return f"{median(values):,.0f} / {p95:,.0f} / {max(values):,.0f} {unit} (n = {len(values)})"


def type_keys(page: Page, until_s: float) -> None:
    """Type into the composer, a key every 250 ms, which is a slow typist."""
    page.locator(".composer textarea[data-part=prompt]").focus()
    while time.monotonic() < until_s:
        for key in KEYS:
            page.keyboard.press(key if key != " " else "Space")
            page.wait_for_timeout(250)
            if time.monotonic() >= until_s:
                return


def read_answer(page: Page, url: str, seconds: int) -> dict[str, str]:
    """Follow one answer to its end, typing; each figure by its name."""
    page.goto(url)
    page.wait_for_selector(READY, timeout=PATIENCE_MS)
    page.evaluate(WATCH)
    page.evaluate(SEND, f"{TOKENS_A_SECOND} {TOKENS_A_SECOND * seconds}")
    type_keys(page, time.monotonic() + seconds - 5)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while page.evaluate("window.ended_at") is None:  # the content policy lets nothing be polled in the page
        assert time.monotonic() < deadline, "the answer did not end"
        page.wait_for_timeout(100)
    sent, ended = page.evaluate("[window.sent_at, window.ended_at]")
    frames, keys, long = page.evaluate("[window.frames_ms, window.keys_ms, window.long_ms]")
    return {
        "send to finished turn": f"{(ended - sent) / 1000:.1f} s",
        "last token written to finished turn": f"{ended - Answering.last_written_at * 1000:,.0f} ms",
        "frames, p50 / p95 / most": spread(frames),
        "tasks above 50 ms": f"{len(long)}, together {sum(long):,.0f} ms",
        "keystrokes above 16 ms meanwhile, p50 / p95 / most": spread(keys),
    }


def read_megabyte(page: Page, url: str) -> dict[str, str]:
    """Open a session with an answer of a megabyte, and type there."""
    began = time.monotonic()
    page.goto(url)
    page.wait_for_selector(READY, timeout=PATIENCE_MS)
    opened_s = time.monotonic() - began
    count = page.evaluate("document.querySelectorAll('*').length")
    page.evaluate(WATCH)
    type_keys(page, time.monotonic() + 10)
    frames, keys, long = page.evaluate("[window.frames_ms, window.keys_ms, window.long_ms]")
    return {
        "1 MB answer: page to composer": f"{opened_s * 1000:,.0f} ms, {count:,} elements",
        "1 MB answer: frames, p50 / p95 / most": spread(frames),
        "1 MB answer: tasks above 50 ms": f"{len(long)}, together {sum(long):,.0f} ms",
        "1 MB answer: keystrokes above 16 ms of 40, p50 / p95 / most": spread(keys),
    }


def asked(url: str, prompt: str) -> str:
    """Ask this in a new session; the address of its page."""
    client = Client(url)
    run = client.invoke(client.find_agent(AGENT).id, prompt)
    for _ in run:
        pass
    [session] = [one for one in client.sessions(client.find_agent(AGENT).id) if one.session_id == run.session_id]
    return f"{url}/sessions/{session.public_id}/"


def measured(throttles: Sequence[float], seconds: int) -> dict[float, dict[str, str]]:
    found = {}
    with agent() as address, demo_server(DEMO_HISTORY="0", EMULATOR_RUNTIMES=f"{AGENT}={address}") as (url, _emulator):
        megabyte = asked(url, f"0 {MEGABYTE * 10 // CHARACTERS_OF_TEN}")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_ARGUMENTS)
            for rate in throttles:
                page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
                page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": rate})
                found[rate] = read_answer(page, asked(url, "0 10"), seconds) | read_megabyte(page, megabyte)
                page.context.close()
            browser.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--throttle", type=float, nargs="+", default=[1, 4], help="how many times slower")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    found = measured(options.throttle, options.seconds)
    print(f"{os.cpu_count()} processors, Linux {platform.release()}, load average {load:.1f} before\n")
    print("| | " + " | ".join(f"{rate:g} × slower" for rate in found) + " |")
    print("| --- |" + " --- |" * len(found))
    for name in next(iter(found.values())):
        print(f"| {name} | " + " | ".join(figures[name] for figures in found.values()) + " |")


if __name__ == "__main__":
    main()
