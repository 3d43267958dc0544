"""FastAPI with a thread for each stream, which reads boto3 and hands the pieces to the event loop by a queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from bench.peers.agentcore import MOST_STREAMS, make_client, sse_frames
from bench.peers.serving import serve


def make_app(source_port: int) -> FastAPI:
    """The application, its client and threads made once."""
    client = make_client(source_port)
    threads = ThreadPoolExecutor(MOST_STREAMS, thread_name_prefix="stream")
    app = FastAPI()

    async def frames(payload: bytes) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str | None] = asyncio.Queue()

        def read() -> None:
            try:
                for frame in sse_frames(client, payload):
                    loop.call_soon_threadsafe(queue.put_nowait, frame)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        reading = threads.submit(read)
        while (frame := await queue.get()) is not None:
            yield frame
        reading.result()

    @app.post("/invoke")
    async def invoke(request: Request) -> StreamingResponse:
        return StreamingResponse(frames(await request.body()), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    serve(make_app, "FastAPI, a thread and a queue for each stream over boto3.")
