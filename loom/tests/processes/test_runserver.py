"""Django's own server, which is daphne here: `docs/decisions/0004-uvicorn-serves.md`."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

from loom.tests.running import Running, free_port, wait_until


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def test_runserver_starts_daphne_and_serves_pages(tmp_path: Path) -> None:
    port = free_port()
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path / 'loom.db'}", "EMULATOR_PORT": str(free_port())}
    with Running("manage.py", "migrate", "--verbosity=0", environment=environment) as migration:
        assert migration.wait_for_end() == 0

    with Running("manage.py", "runserver", "--noreload", f"127.0.0.1:{port}", environment=environment) as server:
        server.wait_for_line("Starting ASGI/Daphne")
        wait_until(lambda: is_open(port), "runserver listens")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/login/") as page:
            assert (page.status, page.headers["Server"]) == (200, "daphne")
            assert b"Loom" in page.read()
