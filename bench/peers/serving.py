"""How the peers are served: uvicorn with uvloop and httptools, one process, as Loom is."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI


def serve(make_app: Callable[[int], FastAPI], description: str) -> None:
    """Read the options every peer takes and serve its application."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--source-port", type=int, required=True)
    options.add_argument("--core", type=int)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    uvicorn.run(
        make_app(chosen.source_port), host="127.0.0.1", port=chosen.port, loop="uvloop", http="httptools",
        log_level="warning", timeout_graceful_shutdown=2,
    )  # fmt: skip
