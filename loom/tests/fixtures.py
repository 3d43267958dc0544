"""What tests of every app may use: named users, the emulator as a real process, a whole Loom as real processes."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from apps.accounts.models import User
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.models import Runtime
from apps.agentcore.runtime_rows import SHARED_COLUMNS, store_new
from apps.agentcore.services import register_agent
from apps.agents.models import Agent, Endpoint
from apps.aws.control import list_runtimes
from apps.aws.tests.emulator_process import EXACT, Emulator, running_emulator
from apps.sessions.models import Session
from apps.sessions.services import start_session
from loom.tests.running import free_port

if TYPE_CHECKING:
    from apps.aws.tests.two_accounts import TwoAccounts

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery staple"
START_TIMEOUT_S = 180


@cache
def _hashed_password() -> str:
    return make_password(PASSWORD)


def make_user(email: str, **fields: Any) -> User:
    """Store a user whose password is PASSWORD."""
    return User.objects.create(email=email, password=_hashed_password(), **fields)


@pytest.fixture(autouse=True)
def quick_hashing(settings: Any) -> None:
    """Passwords are hashed as fast as possible: what makes hashing safe would make these tests slow."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(db: None) -> User:
    """Owns what tests make."""
    return make_user("alice@example.com")


@pytest.fixture
def bob(db: None) -> User:
    """A stranger to what alice owns."""
    return make_user("bob@example.com")


@pytest.fixture
def carol(db: None) -> User:
    """Staff: may see every session."""
    return make_user("carol@example.com", is_staff=True)


def read_until(process: subprocess.Popen[str], wanted: str, timeout_s: float = START_TIMEOUT_S) -> list[str]:
    """Read the process's output up to the line that holds `wanted`, and nothing of what comes after it.

    Fail with what it said where it ends or stays silent.
    """
    assert process.stdout is not None
    output = process.stdout.fileno()
    lines, line = [], bytearray()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        ready, _, _ = select.select([output], [], [], 0.2)
        if not ready:
            if process.poll() is not None:
                break
            continue
        # One by one: of lines that came together and stand in a buffer, select would not tell.
        byte = os.read(output, 1)
        if not byte:
            break
        if byte != b"\n":
            line += byte
            continue
        lines.append(line.decode(errors="replace"))
        line.clear()
        if wanted in lines[-1]:
            return lines
    raise AssertionError(f"{wanted!r} was not said (exit code {process.poll()}):\n" + "\n".join(lines))


def stop(process: subprocess.Popen[str], timeout_s: float = 30) -> int:
    """End a process that a test started, in good order where it lets us; return its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout_s)
    if process.stdout:
        process.stdout.close()
    return process.returncode


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    """One emulator for all tests that run in this process."""
    with running_emulator(*EXACT) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator, settings: Any) -> Emulator:
    """The emulator, with the settings of this process pointing at it."""
    settings.EMULATOR_URL = emulator_process.url
    emulator_process.clear()
    return emulator_process


@pytest.fixture
def cloud(settings: Any) -> Iterator[TwoAccounts]:
    """Loom's own account and two others on loopback, with the settings of this process pointing at them."""
    from apps.aws.tests.two_accounts import two_accounts  # noqa: PLC0415 -- moto: seconds, and few tests need it

    with two_accounts() as running:
        settings.EMULATOR_URL = running.url
        yield running


@pytest.fixture
def demo_agent(emulator: Emulator, alice: User) -> Callable[[str], Agent]:
    """Register a demo agent of the emulator by its name."""

    def register(name: str) -> Agent:
        runtimes = list_runtimes(current_connection(), "us-east-1")
        return register_agent(arn=next(runtime.arn for runtime in runtimes if runtime.name == name), user=alice)

    return register


@pytest.fixture
def make_agent(db: None) -> Callable[..., Agent]:
    """Store an agent that no AWS stands behind, for tests that never call one."""

    def make(**overrides: Any) -> Agent:
        number = Agent.objects.count() + 1
        runtime_id = f"agent_{number}-AbCdEf{number:04d}"
        now = timezone.now()
        fields = {
            "arn": f"arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/{runtime_id}", "origin": "emulator",
            "runtime_id": runtime_id, "name": f"agent_{number}", "status": "READY", "region": "us-east-1",
            "account_id": "123456789012", "log_group": f"/aws/bedrock-agentcore/runtimes/{runtime_id}-DEFAULT",
            "available_qualifiers": ["DEFAULT"], "version": "3", "registered_at": now, "last_refreshed_at": now,
        }  # fmt: skip
        fields |= overrides
        columns = {name: fields.pop(name) for name in SHARED_COLUMNS if name in fields}
        agent = Agent(**fields)
        if agent.kind == Agent.Kind.AGENTCORE:
            store_new(Runtime(agent=agent, **columns))
        else:
            agent.save()
        Endpoint.objects.create(agent=agent, name="DEFAULT", live_version=agent.version, status="READY")
        return agent

    return make


@pytest.fixture
def make_session(make_agent: Callable[..., Agent], alice: User) -> Callable[..., Session]:
    """Store a session of alice's with an agent of its own, unless told otherwise."""

    def make(**overrides: Any) -> Session:
        agent = overrides.pop("agent", None) or make_agent()
        return start_session(agent=agent, owner=overrides.pop("owner", alice), **overrides)

    return make


@dataclass(frozen=True)
class Loom:
    """A whole Loom: supervisor, emulator, web, worker; spoken to over HTTP alone.

    `environment` is what its processes were started with, for those that are to join them.
    """

    url: str
    emulator: Emulator
    process: subprocess.Popen[str]
    environment: dict[str, str]

    @property
    def socket_url(self) -> str:
        return self.url.replace("http://", "ws://")

    def get(self, path: str) -> tuple[int, Any]:
        return self._call(urllib.request.Request(self.url + path))  # noqa: S310 -- loopback

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self.url + path, data=data, headers=headers))  # noqa: S310 -- loopback

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Any request, with a JSON body unless it is None; the status and the JSON of the answer, None for none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self.url + path, data, headers, method=method))  # noqa: S310 -- loopback

    @staticmethod
    def _call(request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 -- loopback
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def agent_id(self, name: str) -> int:
        """The id of a demo agent in the registry."""
        _, agents = self.get("/api/agents")
        return next(int(agent["id"]) for agent in agents if agent["name"] == name)


@contextmanager
def running_loom(folder: Path, **settings: str) -> Iterator[Loom]:
    """`make dev` without make: the supervisor on free ports, its output in `folder`, with these settings."""
    web_port, emulator_port = free_port(), free_port()
    environment = {
        **os.environ, "BACKEND_PORT": str(web_port), "EMULATOR_PORT": str(emulator_port), "DEBUG": "1",
        "AUTH_DISABLED": "1", "PYTHONUNBUFFERED": "1", "DEMO_HISTORY": "0",
        # Four times as fast as life. As on AWS, the emulator's log lines are late and its clocks are off unless it is
        # told otherwise. What then happens is tested by itself; here every line comes at once and clocks agree.
        "EMULATOR_OPTIONS": "--seed 7 --time-scale 0.25 --log-delay-scale 0 --clock-skew-ms 0", **settings,
    }  # fmt: skip
    with (folder / "output.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "dev"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        drain: subprocess.Popen[str] | None = None
        try:
            read_until(process, "Loom is ready")
            # Read on, or a full pipe would stop the supervisor.
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=log, text=True)
            emulator = Emulator(f"http://127.0.0.1:{emulator_port}")
            yield Loom(f"http://127.0.0.1:{web_port}", emulator, process, environment)
        finally:
            stop(process, 60)
            if drain is not None:
                drain.wait(30)


@pytest.fixture(scope="session")
def loom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loom]:
    """A Loom with an SQLite database of its own, and nothing beside it."""
    folder = tmp_path_factory.mktemp("loom")
    with running_loom(folder, DATABASE_URL=f"sqlite:///{folder / 'loom.db'}") as running:
        yield running
