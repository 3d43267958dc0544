"""An emulator and a Loom, until the tests end. A client that would leave this machine is stopped."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator

import pytest

from bench.clients.running import AWS, OWN, PYTHON, QUICK, Loom, free_port, manage, running


def stay_here(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse to look up or connect to anything that is not loopback."""
    if event == "socket.getaddrinfo":
        host = str(arguments[0])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
    else:
        return
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise PermissionError(f"a client wanted to reach {host}")


sys.addaudithook(stay_here)


@pytest.fixture(scope="session")
def emulator() -> Iterator[str]:
    """The address of an emulator."""
    with running([PYTHON, "-m", "apps.emulator", "--port", "0", *QUICK.split()], OWN, "emulator listening on") as line:
        yield line.split()[3]


@pytest.fixture
def aws(emulator: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which every AWS client speaks to the emulator, set and returned."""
    settings = {
        **AWS,
        "AWS_ENDPOINT_URL": emulator,
        "BEDROCK_AGENTCORE_CP_ENDPOINT": emulator,
        "BEDROCK_AGENTCORE_DP_ENDPOINT": emulator,
        # A program that calls another address all the same gets nowhere.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return {**OWN, **settings}


@pytest.fixture(scope="session")
def loom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    """A Loom with an emulator, an empty database and the sign-in on."""
    folder = tmp_path_factory.mktemp("loom")
    web_port, emulator_port = free_port(), free_port()
    environment = OWN | {
        "BACKEND_PORT": str(web_port), "EMULATOR_PORT": str(emulator_port), "EMULATOR_OPTIONS": QUICK,
        "LOOM_AWS": "emulator", "DEBUG": "1", "AUTH_DISABLED": "0", "DEMO_HISTORY": "0",
        "DATABASE_URL": f"sqlite:///{folder / 'loom.db'}", "PYTHONUNBUFFERED": "1",
        "DJANGO_SUPERUSER_EMAIL": "clients@example.com", "DJANGO_SUPERUSER_PASSWORD": "only-on-loopback-0",
    }  # fmt: skip
    with running([PYTHON, "manage.py", "dev"], environment, "Loom is ready"):
        manage(environment, "createsuperuser", "--no-input")
        token = manage(environment, "create_token", "--scope", "manage", "--days", "1")
        yield Loom(f"http://127.0.0.1:{web_port}", token)
