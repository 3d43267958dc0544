"""moto's own tests, in their server mode, against the emulator: `python -m bench.clients.moto_suites CHECKOUT …`.

CHECKOUT is a folder with moto's source, its tests included, which Loom does not carry; what follows goes to pytest. For
moto's tests the emulator is empty at first and whenever they ask for it (`/moto-api/reset`), nothing takes time, and
nothing is throttled. Many fail: they test operations that the emulator does not offer, or moto's own assumptions.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from apps.emulator.account import EmulatedAccount
from apps.emulator.application import create_application
from apps.emulator.config import EmulatorConfig

SUITES = (
    "tests/test_bedrockagentcorecontrol",
    "tests/test_logs/test_logs.py",
    "tests/test_logs/test_logs_filter_log_events.py",
    "tests/test_sts",
    "tests/test_cloudwatch",
)
CONFIG = EmulatorConfig(port=0, seed=1, time_scale=0.0, log_delay_scale=0.0, has_quotas=False)


class Resettable:
    """The emulator without its demo agents, built anew whenever moto's tests ask for an empty account."""

    def __init__(self) -> None:
        self._application = create_application(EmulatedAccount(CONFIG, 1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/moto-api/"):
            self._application = create_application(EmulatedAccount(CONFIG, 1))
            await JSONResponse({"status": "ok"})(scope, receive, send)
            return
        await self._application(scope, receive, send)


def main(checkout: Path, options: list[str]) -> int:
    server = uvicorn.Server(uvicorn.Config(Resettable(), port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        thread.join(0.05)
    port: Any = server.servers[0].sockets[0].getsockname()[1]
    environment = {
        **os.environ,
        "TEST_SERVER_MODE": "true",
        "TEST_SERVER_MODE_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": str(checkout),
    }
    suites = [suite for suite in SUITES if (checkout / suite).exists()]
    command = [sys.executable, "-m", "pytest", "-q", *suites, *options]
    try:
        return subprocess.run(command, cwd=checkout, env=environment, check=False).returncode
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "tests").is_dir():
        sys.exit("usage: python -m bench.clients.moto_suites CHECKOUT [options of pytest]")
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
