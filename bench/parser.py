"""What an event of a stream costs to read, shape by shape: python -m bench.parser [--rounds 9] [--against COMMIT]

Feeds answers of a thousand pieces, one chunk an event, as a network brings them. With `--against` the parser of another
commit takes turns with this one, in the same process. Writes the table of docs/performance-parser.md: the least of the
rounds, in microseconds of processor time an event. The exit status is 1 where an answer comes out wrong.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.aws.stream.parsing import StreamParser

TOP = Path(__file__).resolve().parent.parent
DOCUMENT = TOP / "docs" / "performance-parser.md"
SSE = "text/event-stream; charset=utf-8"
WORDS = [" word", "ing", " é", ".", " the", " of", " data", " in", " end", " (see"] * 100
ANSWER = "".join(WORDS)
Parser = Callable[[str], Any]


def sse(value: object) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def bedrock(word: str) -> dict[str, object]:
    return {"event": {"contentBlockDelta": {"delta": {"text": word}, "contentBlockIndex": 0}}}


def shapes() -> dict[str, tuple[str, list[bytes]]]:
    """Each shape by its name: the content type, and a chunk for each word."""
    makers: dict[str, Callable[[str], object]] = {
        "Bedrock's events": bedrock,
        "callbacks of Strands": lambda word: {"data": word, "delta": {"text": word}},
        "strings": lambda word: word,
        "`data`": lambda word: {"data": word},
        "`chunk`": lambda word: {"chunk": word},
        "AG-UI": lambda word: {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m", "delta": word},
        "OpenAI's chunks": lambda word: {"id": "c", "choices": [{"index": 0, "delta": {"content": word}}]},
        "Anthropic's events": lambda word: {
            "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}
        },
        "LangGraph's chunks": lambda word: {"content": word, "type": "AIMessageChunk", "id": "r", "tool_calls": []},
        "A2A's artifacts": lambda word: {
            "jsonrpc": "2.0",
            "result": {
                "kind": "artifact-update", "append": True, "artifact": {"artifactId": "a", "parts": [{"text": word}]}
            },
        },
        "typed pieces": lambda word: {"type": "content", "content": word},
        "`text`": lambda word: {"text": word},
        "JSON in strings": lambda word: json.dumps({"data": word}),
    }  # fmt: skip
    made = {name: (SSE, [sse(make(word)) for word in WORDS]) for name, make in makers.items()}
    both = [chunk for word in WORDS for chunk in (sse(bedrock(word)), sse({"data": word, "delta": {"text": word}}))]
    raw = [f"data: {word}\n\n".encode() for word in WORDS]
    return {
        "Bedrock's events and their callbacks": (SSE, both),
        **made,
        "raw text": (SSE, raw),
        "text/plain": ("text/plain", [word.encode() for word in WORDS]),
        "JSON line by line": ("application/x-ndjson", [json.dumps({"data": word}).encode() + b"\n" for word in WORDS]),
    }


def read(parser: Parser, content_type: str, chunks: list[bytes]) -> tuple[float, str]:
    """Microseconds of processor time an event, and the text."""
    reader = parser(content_type)
    began = time.process_time()
    events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()
    spent = time.process_time() - began
    return spent / len(chunks) * 1e6, "".join(event["text"] for event in events if event["kind"] == "text")


def parser_of(commit: str, folder: Path) -> Parser:
    """The parser of another commit, beside this one under another name."""
    archive = subprocess.run(
        ["git", "archive", commit, "apps/aws/stream"], cwd=TOP, check=True, capture_output=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    package = folder / "stream_before"
    (folder / "apps" / "aws" / "stream").rename(package)
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        path.write_text(source.replace("apps.aws.stream", "stream_before"), encoding="utf-8")
    sys.path.insert(0, str(folder))
    found: Parser = importlib.import_module("stream_before.parsing").StreamParser
    return found


def measure(rounds: int, before: Parser | None) -> list[tuple[str, float, float | None]]:
    """Shape, cost, and cost before where that parser understood the shape."""
    rows = []
    for name, (content_type, chunks) in shapes().items():
        costs, old_costs, is_known = [], [], True
        for _ in range(rounds):
            cost, text = read(StreamParser, content_type, chunks)
            if text != ANSWER:
                raise SystemExit(f"{name}: the answer comes out wrong")
            costs.append(cost)
            if before is not None:
                old_cost, old_text = read(before, content_type, chunks)
                old_costs.append(old_cost)
                is_known = is_known and old_text == ANSWER
        rows.append((name, min(costs), min(old_costs) if old_costs and is_known else None))
    return rows


def table(rows: list[tuple[str, float, float | None]], commit: str, rounds: int) -> str:
    said = f"the least of {rounds} rounds, microseconds of processor time an event."
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {said}", ""]
    lines += [f"| shape | now | {commit} | ratio |", "| --- | ---: | ---: | ---: |"]
    for name, cost, old in rows:
        compared = f"{old:.1f} | {cost / old:.2f}" if old else "not understood |"
        lines.append(f"| {name} | {cost:.1f} | {compared} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--against", default="")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before = parser_of(given.against, Path(folder)) if given.against else None
        text = table(measure(given.rounds, before), given.against[:7] or "before", given.rounds)
    print(text)
    page = DOCUMENT.read_text(encoding="utf-8")
    start, rest = page.split("<!-- table -->\n")[0], page.split("<!-- end -->\n")[1]
    DOCUMENT.write_text(f"{start}<!-- table -->\n{text}\n<!-- end -->\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
