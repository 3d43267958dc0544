"""What `make dev` and `make run` do: bring the database up to date, then run everything under the supervisor."""

from __future__ import annotations

import http.client
import ipaddress
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.management import get_commands
from django.db import connections

from loom.child import ChildSpec
from loom.output import Output
from loom.supervisor import StopRequestedError, Supervisor

MANAGE = (sys.executable, "manage.py")
EMULATOR_HOST = "127.0.0.1"
TASK_TIMEOUT_S = int(str(settings.Q_CLUSTER["timeout"]))
# Longer than the longest task: pulses wait behind tasks.
PULSE_LIMIT_S = TASK_TIMEOUT_S + 60.0
WEB_DRAIN_S = 25


class PortTakenError(Exception):
    """Loom cannot listen where it should; the message says where, why and what to change."""


def start_all(out: Output, *, is_production: bool) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP, then return.

    Raises PortTakenError before anything was started, and StartFailedError after everything was stopped again.
    """
    uses_emulator = settings.LOOM_AWS == "emulator"
    check_ports(with_emulator=uses_emulator)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if is_production:
        environment |= {"DEBUG": "0", "AUTH_DISABLED": "0"}
    with suppress(StopRequestedError), Supervisor(out) as supervisor:
        emulator = [supervisor.start(emulator_spec(environment))] if uses_emulator else []
        for text, step in steps(environment, is_production=is_production):
            supervisor.say(text)
            supervisor.run_step(step)
        supervisor.say("Starting the web server and the worker")
        servers = [supervisor.start(web_spec(environment)), supervisor.start(worker_spec(environment))]
        if uses_emulator and "seed_demo" in get_commands():
            # Beside the servers, which take longer to start and do not need it.
            supervisor.wait_until_ready(*emulator)
            supervisor.run_step(manage_spec("seed_demo", environment))
        supervisor.wait_until_ready(*emulator, *servers)
        if is_production and not can_anyone_sign_in():
            supervisor.say("Nobody can sign in yet. Make the first user: .venv/bin/python manage.py createsuperuser")
        supervisor.say(f"Loom is ready: {address()}  (Ctrl-C stops everything)")
        supervisor.watch()


def steps(environment: dict[str, str], *, is_production: bool) -> Iterator[tuple[str, ChildSpec]]:
    """Yield what comes before the servers: what to say, and the command."""
    yield "Bringing the database up to date", manage_spec("migrate", environment, "--no-input", "--verbosity=0")
    if is_production:
        yield "Collecting static files", manage_spec("collectstatic", environment, "--no-input", "--verbosity=0")


def manage_spec(command: str, environment: dict[str, str], *options: str) -> ChildSpec:
    """Describe a management command that ends by itself."""
    return ChildSpec(name=command, argv=(*MANAGE, command, *options), environment=environment)


def emulator_spec(environment: dict[str, str]) -> ChildSpec:
    """Describe the emulator, without Django so that it starts sooner. Web and worker call it while they finish."""
    options = {
        "host": EMULATOR_HOST,
        "port": settings.ENVIRONMENT.emulator_port,
        "runtimes": settings.ENVIRONMENT.emulator_runtimes,
    }
    return ChildSpec(
        name="emulator",
        argv=(
            sys.executable,
            "-m",
            "apps.emulator",
            *(f"--{name}={value}" for name, value in options.items()),
            *shlex.split(settings.ENVIRONMENT.emulator_options),
        ),
        environment=environment,
        ready_line="emulator listening on",
        stops_last=True,
    )


def web_spec(environment: dict[str, str]) -> ChildSpec:
    """Describe the web server. Deflate off: it costs more than it saves on frames of a few words."""
    options = {
        "host": settings.BACKEND_HOST,
        "port": settings.BACKEND_PORT,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "ws-per-message-deflate": "false",
        "lifespan": "on",
        "timeout-graceful-shutdown": WEB_DRAIN_S,
        "log-level": "warning",  # what it says at info level, the supervisor says better
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return ChildSpec(
        name="web",
        argv=(sys.executable, "-m", "uvicorn", "loom.asgi:application", *arguments),
        environment=environment,
        probe=is_web_healthy,
        grace_s=2 * WEB_DRAIN_S,  # connections first, then what its lifespan closes
    )


def worker_spec(environment: dict[str, str]) -> ChildSpec:
    """Describe the worker, which may finish its tasks when it is stopped."""
    return ChildSpec(
        name="worker",
        argv=(*MANAGE, "worker"),
        environment=environment,
        ready_line="worker ready",
        pulse_limit_s=PULSE_LIMIT_S,
        grace_s=TASK_TIMEOUT_S + 10.0,
    )


def check_ports(*, with_emulator: bool) -> None:
    """Raise PortTakenError unless every port can be listened on, naming all that cannot and the setting to change."""
    wanted = [("BACKEND_PORT", settings.BACKEND_HOST, settings.BACKEND_PORT)]
    if with_emulator:
        wanted.append(("EMULATOR_PORT", EMULATOR_HOST, settings.ENVIRONMENT.emulator_port))
    problems = []
    with ExitStack() as listeners:  # all at once: two settings with the same port are a problem too
        for name, host, port in wanted:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                listeners.enter_context(socket.create_server((host, port), family=family))
            except OSError as error:
                reason = str(error.strerror).partition(" (while")[0]
                problems.append(
                    f"Loom cannot listen on {host}:{port}: {reason}. Perhaps another `make dev` is running; "
                    f"otherwise choose another port: {name}={port + 1}"
                )
    if problems:
        raise PortTakenError("\n".join(problems))


def is_web_healthy() -> bool:
    """Tell whether the web server answers."""
    connection = http.client.HTTPConnection(_reachable_host(), settings.BACKEND_PORT, timeout=1)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def can_anyone_sign_in() -> bool:
    """Tell whether there is a user with a password; the one of the development sign-in has none."""
    try:
        users = get_user_model()._default_manager.filter(is_active=True)
        return users.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()
    finally:
        connections.close_all()  # the supervisor goes on to fork


def address() -> str:
    """Return the address to open in a browser on this machine."""
    host = _reachable_host()
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.BACKEND_PORT}/"


def _reachable_host() -> str:
    """Return the host to connect to: one that listens on every address is reached on loopback."""
    host: str = settings.BACKEND_HOST
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not ip.is_unspecified:
        return host
    return "::1" if ip.version == 6 else "127.0.0.1"
