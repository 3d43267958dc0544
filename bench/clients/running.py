"""Programs that the clients speak to: started by Loom's own Python beside theirs, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = str(ROOT / ".venv/bin/python")
QUICK = "--seed 7 --time-scale 0.02 --log-delay-scale 0 --no-quotas"
READY_S = 180.0
# No profile, no credentials and no region of whoever runs this.
OWN = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "BEDROCK_", "LOOM_"))}
AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Loom:
    """A running Loom, and a token that may do everything over its API."""

    url: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def manage(environment: dict[str, str], *arguments: str) -> str:
    """Run a management command; returns what it printed."""
    command = [PYTHON, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()


@contextmanager
def running(command: list[str], environment: dict[str, str], ready: str) -> Iterator[str]:
    """Run a program for as long as the block lasts; gives the line in which it said that it was ready."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    is_ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if ready in line:
                is_ready.set()
        is_ready.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert is_ready.wait(READY_S), f"{command} was not ready in {READY_S:g} s"
        line = next((line for line in said if ready in line), None)
        assert line is not None, f"{command} ended:\n{''.join(said)}"
        yield line
    finally:
        process.terminate()
        process.wait(timeout=60)
        reader.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
