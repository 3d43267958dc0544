"""A Loom that lives as long as a smoke run: on free ports, with a database of its own that goes with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from apps.aws.connection import Connection
from apps.core.exceptions import LoomError
from apps.core.network import url_of

HOST = "127.0.0.1"
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 150.0  # its worker may finish what it has begun
LOOK_EVERY_S = 0.2
READY = "Loom is ready"
LINES_TOLD = 15
_USER = "smoke@loom.invalid"
_MANAGE = (sys.executable, "manage.py")


class OwnLoomError(LoomError):
    """It did not start, or not as it should; the message holds what it said."""

    code = "no_loom"


@contextmanager
def own_loom(connection: Connection) -> Iterator[tuple[str, str, Connection]]:
    """Its URL, a token that may manage, and the connection to what it speaks to. Raises OwnLoomError.

    In emulator mode it brings an emulator of its own. Whatever ends the block or this process ends it.
    """
    with tempfile.TemporaryDirectory(prefix="loom-smoke-") as folder:
        port, emulator_port = _free_ports()
        environment = _environment(connection, Path(folder), port, emulator_port)
        output = Path(folder) / "output.log"
        with output.open("w") as log:
            process = subprocess.Popen(
                [*_MANAGE, "dev", "--parent", str(os.getpid())],
                cwd=settings.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the smoke run, which then ends it in order
            )
        try:
            _wait_until_ready(process, output)
            if connection.origin == "emulator":
                connection = replace(connection, endpoint_url=url_of(HOST, emulator_port))
            yield url_of(HOST, port), _token(environment), connection
        finally:
            _stop(process)


def _free_ports() -> tuple[int, int]:
    with socket.create_server((HOST, 0)) as first, socket.create_server((HOST, 0)) as second:
        return int(first.getsockname()[1]), int(second.getsockname()[1])


def _environment(connection: Connection, folder: Path, port: int, emulator_port: int) -> dict[str, str]:
    profile = {} if connection.profile is None else {"AWS_PROFILE": connection.profile}
    return {
        **os.environ, **profile, "LOOM_AWS": connection.origin, "AWS_REGION": connection.region,
        "DATABASE_URL": f"sqlite:///{folder / 'loom.db'}", "REDIS_URL": "", "BACKEND_HOST": HOST,
        "BACKEND_PORT": str(port), "EMULATOR_PORT": str(emulator_port), "DEBUG": "0", "AUTH_DISABLED": "0",
        "DEMO_HISTORY": "0", "PYTHONUNBUFFERED": "1",
    }  # fmt: skip


def _wait_until_ready(process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while READY not in (said := output.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > deadline:
            told = "\n".join(said.splitlines()[-LINES_TOLD:])
            raise OwnLoomError(f"A Loom of this command's own did not start; it said:\n{told}")
        time.sleep(LOOK_EVERY_S)


def _token(environment: Mapping[str, str]) -> str:
    """Make its only user, who cannot sign in, and a token of theirs; both go with the database."""
    _manage(environment, "createsuperuser", "--no-input", "--email", _USER)
    return _manage(environment, "create_token", "--user", _USER, "--scope", "manage", "--days", "1", "--name", "smoke")


def _manage(environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(
        [*_MANAGE, *command], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OwnLoomError(f"manage.py {command[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel ends its children with it
        process.wait()
