"""What `make dev` and `make run` do: bring the database up to date, then run everything under the supervisor."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.management import get_commands
from django.db import Error as DatabaseFailure
from django.db import connections
from django.utils import timezone

from apps.core.models import Process
from apps.core.network import is_loom_there, url_of
from apps.core.running.processes import is_process_alive, living, machine
from loom.processes.child import ChildSpec
from loom.processes.folders import check_database_file, has_to_collect_static_files
from loom.processes.output import Output
from loom.processes.plan import Plan
from loom.processes.supervisor import StopRequestedError, Supervisor
from loom.processes.web_command import WEB_DRAIN_S, web_command

MANAGE = (sys.executable, "manage.py")
# Django's checks import every page, which is half of what a step costs; `make lint` makes them.
QUIETLY = ("--no-input", "--verbosity=0", "--skip-checks")
EMULATOR_HOST = "127.0.0.1"
TASK_TIMEOUT_S = int(str(settings.Q_CLUSTER["timeout"]))
# The worker tells by itself when its cluster is frozen; this is for its main process.
PULSE_LIMIT_S = 40.0
MOST_WEB_PROCESSES = 8  # unless the settings say so: each holds memory, and connections to the database
LEAST_REQUESTS = 8

UNSAFE_COOKIES = (
    "PUBLIC_URL is not set, so browsers send the cookies of a sign-in without TLS too. Where others than this machine "
    "open Loom, put a proxy with TLS in front of it and set it, as PUBLIC_URL=https://loom.example.com"
)


class PortTakenError(Exception):
    """Loom cannot listen where it should; the message says where, why and what to change."""


class DatabaseTakenError(Exception):
    """Another Loom with an emulator of its own works on the database; the message says which and what to change."""


def start_all(out: Output, *, is_production: bool, reloads: bool = False) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP. This process becomes the supervisor, and returns only where it is
    stopped before that.

    Raises PortTakenError, DatabaseTakenError and FolderReadOnlyError before anything was started, and StartFailedError
    where a step failed.
    """
    uses_emulator = settings.LOOM_AWS == "emulator"
    check_ports(with_emulator=uses_emulator)
    check_database_file()
    if uses_emulator:
        check_database()
    collects = is_production and has_to_collect_static_files()
    os.environ["PYTHONUNBUFFERED"] = "1"
    if is_production:
        os.environ |= {"DEBUG": "0", "AUTH_DISABLED": "0"}
    share_requests(web_count(is_production=is_production))
    try:
        with Supervisor(out) as supervisor:
            for text, step in steps(collects=collects):
                supervisor.say(text)
                supervisor.run_step(step)
            supervisor.say("Starting the web server and the worker")
    except StopRequestedError:
        return
    become_bare(plan_of(is_production=is_production, uses_emulator=uses_emulator, reloads=reloads))


def plan_of(*, is_production: bool, uses_emulator: bool, reloads: bool) -> Plan:
    """What the supervisor is to run after the steps."""
    # Without one the web process takes what is queued itself.
    runners = (1 if is_production else 0) if settings.RUNNERS is None else settings.RUNNERS
    place = settings.PUBLIC_URL or address(settings.BACKEND_HOST, settings.BACKEND_PORT)
    said = [f"Loom is ready: {place}  (Ctrl-C stops everything)"]
    if is_production and not settings.PUBLIC_URL:
        said.insert(0, UNSAFE_COOKIES)
    if is_production and not can_anyone_sign_in():
        said.insert(0, "Nobody can sign in yet. Make the first user: .venv/bin/python manage.py createsuperuser")
    return Plan(
        first=[emulator_spec()] if uses_emulator else [],
        servers=[
            *web_specs(web_count(is_production=is_production)),
            worker_spec(),
            *(runner_spec(number) for number in range(1, runners + 1)),
        ],
        step=manage_spec("seed_demo") if uses_emulator and "seed_demo" in get_commands() else None,
        said=said,
        reloads=reloads,
    )


def become_bare(plan: Plan) -> None:
    """Go on as a program without Django: what only watches needs no 70 MB. It keeps this process's id, environment and
    tie to its parent; a signal in between waits until there is somebody to hear it.
    """
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as file:
        file.write(plan.as_json())  # a few kilobytes, which the pipe holds
    os.set_inheritable(reader, True)
    signal.pthread_sigmask(signal.SIG_BLOCK, Supervisor.STOP_SIGNALS)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, (sys.executable, "-m", "loom.processes.bare", str(reader)))  # noqa: S606 -- our own


def steps(*, collects: bool) -> Iterator[tuple[str, ChildSpec]]:
    """Yield what comes before the servers: what to say, and the command."""
    yield "Bringing the database up to date", manage_spec("migrate", *QUIETLY)
    if collects:
        yield "Collecting static files", manage_spec("collectstatic", *QUIETLY)


def manage_spec(command: str, *options: str) -> ChildSpec:
    """Describe a management command that ends by itself."""
    return ChildSpec(name=command, argv=(*MANAGE, command, *options))


def emulator_spec() -> ChildSpec:
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
        ready_line="emulator listening on",
        stops_last=True,
    )


def web_count(*, is_production: bool) -> int:
    """How many web processes there are to be: of daphne one, else as the settings say, or one a core in production."""
    if settings.LOOM_SERVER == "daphne":
        return 1
    if settings.WEB_PROCESSES is not None:
        return int(settings.WEB_PROCESSES)
    return min(len(os.sched_getaffinity(0)), MOST_WEB_PROCESSES) if is_production else 1


def share_requests(count: int) -> None:
    """Give each of so many web processes its share: every request that is served holds a connection to the database."""
    share = max(settings.MAX_REQUESTS // count, min(LEAST_REQUESTS, settings.MAX_REQUESTS))
    os.environ["MAX_REQUESTS"] = str(share)


def web_specs(count: int, place: tuple[str, int] | None = None) -> list[ChildSpec]:
    """Describe so many web servers behind one port."""
    names = ["web"] if count == 1 else [f"web {number}" for number in range(1, count + 1)]
    return [web_spec(name=name, place=place) for name in names]


def web_spec(
    environment: Mapping[str, str] | None = None, *, name: str = "web", place: tuple[str, int] | None = None
) -> ChildSpec:
    """Describe a web server, at the host and port of the settings unless it is told another place."""
    host, port = place or (settings.BACKEND_HOST, settings.BACKEND_PORT)
    return ChildSpec(
        name=name,
        argv=web_command(host, port, server=settings.LOOM_SERVER),
        environment=environment,
        listens_at=(host, port),
        ready_line=f"{name} ready",
        grace_s=WEB_DRAIN_S + 15.0,  # connections first, then what its lifespan closes
    )


def worker_spec(environment: Mapping[str, str] | None = None) -> ChildSpec:
    """Describe the worker, which may finish its tasks when it is stopped."""
    return ChildSpec(
        name="worker",
        argv=(*MANAGE, "worker"),
        environment=environment,
        ready_line="worker ready",
        pulse_limit_s=PULSE_LIMIT_S,
        grace_s=TASK_TIMEOUT_S + 15.0,  # after its own limit
    )


def runner_spec(number: int) -> ChildSpec:
    """Describe a runner, whose runs may end by themselves when it is stopped."""
    return ChildSpec(
        name=f"runner {number}",
        argv=(*MANAGE, "runner"),
        ready_line="runner ready",
        pulse_limit_s=PULSE_LIMIT_S,
        grace_s=WEB_DRAIN_S + 15.0,
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
                problems.append(f"Loom cannot listen on {host}:{port}: {reason}. {advise(name, host, port)}")
    if problems:
        raise PortTakenError("\n".join(problems))


def advise(name: str, host: str, port: int) -> str:
    """Say what to do about a port that cannot be had, which setting `name` chooses."""
    another = f"choose another port: {name}={port + 1}"
    if name == "BACKEND_PORT" and is_loom_there(host, port):
        return f"Loom is running there already: {address(host, port)}. Use it, stop it, or {another}"
    return f"Perhaps another `make dev` is running, or another program uses the port; otherwise {another}"


def check_database() -> None:
    """Raise DatabaseTakenError where another Loom with an emulator is at work on this database.

    Each would look for its runs in the logs of its own emulator, and find none of the other's. On AWS any number of
    them may share a database.
    """
    try:
        others = [process for kind in Process.Kind for process in living(timezone.now(), kind) if is_there(process)]
    except DatabaseFailure:
        return  # no table yet, or no database: the next step says so
    finally:
        connections.close_all()  # the supervisor goes on to fork
    if others:
        names = ", ".join(f"{process.kind} process {process.pid} on {process.host}" for process in others)
        raise DatabaseTakenError(
            f"Another Loom works on this database: {names}. With the emulator each needs a database of its own: stop "
            "the other one, or choose another file, as DATABASE_URL=sqlite:///second.db"
        )


def is_there(process: Process) -> bool:
    """Tell whether a process that has beaten a moment ago can still be there; of another machine nothing is known."""
    return process.host != machine() or is_process_alive(process.pid)


def can_anyone_sign_in() -> bool:
    """Tell whether there is a user with a password; the one of the development sign-in has none."""
    try:
        users = get_user_model()._default_manager.filter(is_active=True)
        return users.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).exists()
    finally:
        connections.close_all()  # the supervisor goes on to fork


def address(bind_host: str, port: int) -> str:
    """Return the address to open in a browser on this machine."""
    return f"{url_of(bind_host, port)}/"
