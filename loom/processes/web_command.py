"""How the web server is started, by the supervisor and by `manage.py web`."""

from __future__ import annotations

import sys

WEB_DRAIN_S = 25
WS_MAX_BYTES = 6_500_000  # the longest payload, every character of it written as \u0000


def web_command(host: str, port: int, *, server: str = "uvicorn") -> tuple[str, ...]:
    """The program and its options. Deflate off: it costs more than it saves on frames of a few words."""
    if server == "daphne":
        return (sys.executable, "-m", "loom.processes.daphne_server", f"--host={host}", f"--port={port}")
    options = {
        "host": host,
        "port": port,
        "loop": "uvloop",
        "http": "loom.web.protocol:BoundedProtocol",
        "ws": "loom.web.websocket:DirectWebSocket",
        "ws-per-message-deflate": "false",
        "ws-max-size": WS_MAX_BYTES,
        "lifespan": "on",
        "timeout-graceful-shutdown": WEB_DRAIN_S,
        "log-level": "warning",  # what it says at info level, the supervisor says better
    }
    arguments = (f"--{name}={value}" for name, value in options.items())
    return (sys.executable, "-m", "uvicorn", "loom.asgi:application", *arguments)
