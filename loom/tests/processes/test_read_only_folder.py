"""A folder that Loom cannot write: owned by root, or in a container with a read-only root. A real read-only mount."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from loom.environment import BASE_DIR
from loom.processes.start_all import QUIETLY
from loom.tests.running import Running, free_port, wait_until

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap makes the folder read-only")

ENVIRONMENT = {"LOOM_ENVIRONMENT_FILE": "", "SECRET_KEY": "x" * 50, "PYTHONDONTWRITEBYTECODE": "1"}


def read_only(*command: str, writable: Path) -> tuple[str, ...]:
    """The arguments of Python that run a command of this checkout where only one folder can be written."""
    replace = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
    bwrap = ("bwrap", "--dev-bind", "/", "/", "--ro-bind", str(BASE_DIR), str(BASE_DIR), "--bind", str(writable))
    return ("-c", replace, *bwrap, str(writable), sys.executable, *command)


def ask(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 -- loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


def manage(command: str, environment: dict[str, str]) -> None:
    """As `make run` does it, of which this is the slow part."""
    subprocess.run([sys.executable, "manage.py", command, *QUIETLY], cwd=BASE_DIR, env=environment, check=True)


@pytest.mark.parametrize(
    ("command", "values", "said"),
    [
        (["manage.py", "dev"], {}, "DATABASE_URL=sqlite:////var/lib/loom/loom.db"),
        (["manage.py", "run"], {}, "DATABASE_URL=sqlite:////var/lib/loom/loom.db"),
        (["manage.py", "run"], {"DATABASE_URL": "elsewhere"}, "STATIC_ROOT=/var/lib/loom/static"),
        (["manage.py", "run"], {"DATABASE_URL": "sqlite:////nowhere/at/all/loom.db"}, "there is no folder"),
        (["manage.py", "web"], {"DATABASE_URL": "elsewhere"}, "make build"),
    ],
)
def test_what_cannot_be_written_is_named_in_one_line(
    command: list[str], values: dict[str, str], said: str, tmp_path: Path
) -> None:
    environment = {
        **ENVIRONMENT, "BACKEND_PORT": str(free_port()), "EMULATOR_PORT": str(free_port()), "STATIC_ROOT": "etc/static",
        **values,
    }  # fmt: skip
    if environment.get("DATABASE_URL") == "elsewhere":
        environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'loom.db'}"

    with Running(*read_only(*command, writable=tmp_path), environment=environment) as loom:
        assert loom.wait_for_end() == 1

    [line] = loom.output
    assert said in line


def test_first_use_says_what_to_do(tmp_path: Path) -> None:
    code = "from pathlib import Path; from loom.first_use import main; main(Path('etc'))"
    checkout = tmp_path / "etc"
    shutil.copytree(BASE_DIR / "etc", checkout, ignore=shutil.ignore_patterns("environment.sh", "__pycache__"))
    command = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(checkout), str(BASE_DIR / "etc"), sys.executable]

    environment = {name: value for name, value in os.environ.items() if name != "LOOM_ENVIRONMENT_FILE"}

    done = subprocess.run(
        [*command, "-c", code], cwd=BASE_DIR, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "make build" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow("builds a folder, migrates and serves")
def test_a_web_process_serves_from_a_read_only_folder(tmp_path: Path) -> None:
    """What `make build` and `make migrate` made before is enough; a signal reaches the server, and it ends well."""
    port = free_port()
    environment = {
        **ENVIRONMENT, "DATABASE_URL": f"sqlite:///{tmp_path / 'loom.db'}", "STATIC_ROOT": str(tmp_path / "static"),
        "DEBUG": "0", "AUTH_DISABLED": "0", "PATH": "/usr/bin:/bin",
    }  # fmt: skip
    for command in ("migrate", "collectstatic"):
        manage(command, environment)
    # What the file of development has: it must not reach the server.
    environment |= {"DEBUG": "1", "AUTH_DISABLED": "1"}
    with Running(
        *read_only("manage.py", "web", "--port", str(port), writable=tmp_path), environment=environment
    ) as loom:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: ask(f"{url}/readyz") == 200, "the server is ready")
        with urllib.request.urlopen(f"{url}/agents/") as answer:  # noqa: S310 -- loopback
            assert "/login/" in answer.url  # nobody is signed in without a password
            page = answer.read().decode()
        style = page.split('rel="stylesheet" href="')[1].split('"')[0]
        assert ask(url + style) == 200
        [server] = [pid for pid in loom.pids() if b"uvicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()[:200]]
        os.kill(server, signal.SIGTERM)
        # The server ends what runs, and then by the signal itself: what looks after it sees that it was asked to.
        assert loom.wait_for_end() == 128 + signal.SIGTERM
