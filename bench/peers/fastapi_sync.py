"""FastAPI that streams from a synchronous generator over boto3: the shortest program that works.

Starlette takes each piece from the generator in a thread of its pool, so the pool has to be as large as the number of
streams; its limit of 40 is raised.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from bench.peers.agentcore import MOST_STREAMS, make_client, sse_frames
from bench.peers.serving import serve


def make_app(source_port: int) -> FastAPI:
    """The application, its client made before the first request."""
    client = make_client(source_port)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = MOST_STREAMS
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/invoke")
    async def invoke(request: Request) -> StreamingResponse:
        return StreamingResponse(sse_frames(client, await request.body()), media_type="text/event-stream")

    return app


if __name__ == "__main__":
    serve(make_app, "FastAPI, synchronous generator over boto3.")
