"""What a prompt costs on its way to AgentCore and back, by Loom's own way and by aiobotocore's:
python -m bench.wire [--rounds 7]

A server of its own process answers as AgentCore does, piece by piece. The two ways take turns. Counted is the processor
time of this process alone, system calls included: of a call with its headers and one piece, and of a piece among many
streams. Writes the table of docs/performance-wire.md. The exit status is 1 where an answer comes out wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import platform
import statistics
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import uvloop

from apps.aws.agentcore import AgentCoreClient
from apps.aws.arn import RuntimeArn
from apps.aws.connection import Connection

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance-wire.md"
ARN = RuntimeArn.parse("arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/my_agent-AbCdEf1234")
PIECE = b'data: {"event": {"contentBlockDelta": {"delta": {"text": " word"}, "contentBlockIndex": 0}}}\n\n'
STREAMS, PIECES, PAUSE_S = 50, 200, 0.01
CALLS = 300
PLANES: list[str] = ["wire", "botocore"]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with as many pieces as the payload says, a pause before each but the first."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            count = int(await reader.readexactly(length))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(count):
                if number:
                    await asyncio.sleep(PAUSE_S)
                writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            writer.write(b"0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def serve(pipe: Pipe) -> None:
    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=256)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())


async def invoke(client: AgentCoreClient, count: int) -> int:
    """How often bytes were handed on."""
    sizes: list[int] = []
    response = await client.invoke(
        ARN, qualifier="DEFAULT", runtime_session_id="0" * 36, payload=str(count).encode(), read_timeout=30
    )
    await response.deliver(lambda data: sizes.append(len(data)))
    if sum(sizes) != count * len(PIECE):
        raise SystemExit("an answer comes out wrong")
    return len(sizes)


async def cost(url: str, plane: str) -> tuple[float, float]:
    """Microseconds of processor time: a call, and a piece."""
    client = AgentCoreClient(Connection("emulator", "us-east-1", endpoint_url=url), data_plane=plane)
    for _ in range(20):
        await invoke(client, 1)
    began = time.process_time()
    for _ in range(CALLS):
        await invoke(client, 1)
    per_call = (time.process_time() - began) / CALLS * 1e6
    began = time.process_time()
    reads = await asyncio.gather(*(invoke(client, PIECES) for _ in range(STREAMS)))
    spent = (time.process_time() - began) * 1e6 - per_call * STREAMS
    await client.close()
    return per_call, spent / sum(reads)


def table(rows: dict[str, list[tuple[float, float]]], rounds: int) -> str:
    said = f"the median of {rounds} rounds, microseconds of processor time; the least beside it."
    lines = [f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, uvloop, {said}", ""]
    lines += ["| what | Loom's own way | aiobotocore | ratio |", "| --- | ---: | ---: | ---: |"]
    for place, name in enumerate(("a call, its answer in one piece", f"a piece, {STREAMS} streams at a time")):
        own, other = ([costs[place] for costs in rows[plane]] for plane in PLANES)
        ratio = statistics.median(own) / statistics.median(other)
        shown = [f"{statistics.median(costs):,.0f} ({min(costs):,.0f})" for costs in (own, other)]
        lines.append(f"| {name} | {shown[0]} | {shown[1]} | {ratio:.2f} |")
    return "\n".join(lines)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=7)
    rounds = options.parse_args().rounds
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        rows: dict[str, list[tuple[float, float]]] = {plane: [] for plane in PLANES}
        for number in range(rounds):
            for plane in PLANES if number % 2 else PLANES[::-1]:
                rows[plane].append(uvloop.run(cost(url, plane)))
    finally:
        server.terminate()
        server.join()
    text = table(rows, rounds)
    print(text)
    page = DOCUMENT.read_text(encoding="utf-8")
    start, rest = page.split("<!-- table -->\n")[0], page.split("<!-- end -->\n")[1]
    DOCUMENT.write_text(f"{start}<!-- table -->\n{text}\n<!-- end -->\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
