"""`/healthz` says that the process answers; `/readyz` says whether it can serve, and what around it is missing.

Only what no page works without makes a web process unready: a hiccup of AWS or a restarting worker must not take every
process out of the load balancer at once. Apps above register their own checks in `ready()`.
"""

from __future__ import annotations

import errno
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.models import LimitCount, Process
from apps.core.requests.unavailability import unavailability

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 2.0
GOOD_FOR_S = 10.0
# A bad result is looked at again sooner, so that a recovery shows; not at every request, so that a crowd of probes
# cannot pile up on something that is down.
BAD_FOR_S = 2.0
PROBE_BYTES = 65_536
PROBE_KEY = "readyz"  # no digest is as short
PROCESS_SILENT_AFTER = timedelta(seconds=8)
WORKER_SILENT_AFTER = timedelta(seconds=10)

Check = Callable[[], str | None]


@dataclass(frozen=True)
class Registered:
    """A check: None means well, a text says what is wrong in words without secrets. It runs in a thread of its own."""

    name: str
    check: Check
    is_required: bool


@dataclass(frozen=True)
class Report:
    """What the checks said, by name, in the order of their registration."""

    problems: dict[str, str | None]
    required: frozenset[str]
    checked_at: datetime
    expires_at_s: float  # on the monotonic clock
    processes: list[dict[str, object]]

    @property
    def status(self) -> str:
        """One of "ready", "degraded" (something that is not required is missing) and "unavailable"."""
        failed = {name for name, problem in self.problems.items() if problem is not None}
        return "unavailable" if failed & self.required else "degraded" if failed else "ready"


class Readiness:
    """The registered checks and their last report."""

    def __init__(self, list_processes: Callable[[list[dict[str, object]]], None] | None = None) -> None:
        """`list_processes` adds what is told of each living process to a list."""
        self._list_processes = list_processes
        self._checks: list[Registered] = []
        self._running: dict[str, threading.Thread] = {}
        self._report: Report | None = None
        self._lock = threading.Lock()

    def register(self, name: str, check: Check, *, required: bool) -> None:
        """Add a check. Raises ValueError where the name is taken."""
        if any(registered.name == name for registered in self._checks):
            raise ValueError(f"health check {name!r} is registered already")
        self._checks.append(Registered(name, check, required))

    def report(self) -> Report:
        """Return the last report while it is fresh, else a new one, within about `CHECK_TIMEOUT_S`."""
        with self._lock:
            if self._report is None or time.monotonic() >= self._report.expires_at_s:
                self._report = self._run()
            return self._report

    def _run(self) -> Report:
        answers: dict[str, str | None] = {}
        for registered in self._checks:
            running = self._running.get(registered.name)
            # One that still hangs since the last time is not started again: threads would pile up.
            if running is None or not running.is_alive():
                self._running[registered.name] = threading.Thread(
                    target=_answer, args=(registered, answers), name=f"health {registered.name}", daemon=True
                )
                self._running[registered.name].start()
        deadline = time.monotonic() + CHECK_TIMEOUT_S
        processes = self._processes(deadline)
        for registered in self._checks:
            self._running[registered.name].join(max(0.0, deadline - time.monotonic()))
        late = f"no answer within {CHECK_TIMEOUT_S:g} s"
        problems = {registered.name: answers.get(registered.name, late) for registered in self._checks}
        is_good = all(problem is None for problem in problems.values())
        return Report(
            problems=problems,
            required=frozenset(registered.name for registered in self._checks if registered.is_required),
            checked_at=timezone.now(),
            expires_at_s=time.monotonic() + (GOOD_FOR_S if is_good else BAD_FOR_S),
            processes=processes,
        )

    def _processes(self, deadline: float) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        lister = self._running.get("processes")
        if self._list_processes is not None and (lister is None or not lister.is_alive()):
            lister = threading.Thread(target=self._list_processes, args=(found,), name="health processes", daemon=True)
            self._running["processes"] = lister
            lister.start()
            lister.join(max(0.0, deadline - time.monotonic()))
        return found


def _answer(registered: Registered, answers: dict[str, str | None]) -> None:
    try:
        answers[registered.name] = registered.check()
    except Exception as error:
        logger.exception("health check failed name=%s", registered.name)
        answers[registered.name] = f"failed with {type(error).__name__}"
    finally:
        connections.close_all()


def list_processes(into: list[dict[str, object]]) -> None:
    """Add what `/readyz` tells of each living process of this database; nothing where that cannot be read."""
    now = timezone.now()
    try:
        alive = Process.objects.filter(ended_at=None, beat_at__gte=now - PROCESS_SILENT_AFTER).order_by("kind", "name")
        into += [
            {
                "name": process.name or process.kind,
                "kind": process.kind,
                "restarts": process.restart_count,
                "up_s": round((now - process.started_at).total_seconds()),
                "silent_s": round((now - process.beat_at).total_seconds(), 1),
            }
            for process in alive
        ]
    except Exception as error:  # readiness is told without them
        logger.warning("processes not listed error=%s", type(error).__name__)
    finally:
        connections.close_all()


readiness = Readiness(list_processes)


def register_check(name: str, check: Check, required: bool) -> None:
    """Add a check to `/readyz`: it returns None when all is well, else what is wrong.

    Where a `required` one fails the process is not ready, otherwise it is degraded. Raises ValueError for a taken name.
    """
    readiness.register(name, check, required=required)


def check_database() -> str | None:
    """Tell what is wrong with the database."""
    connection.ensure_connection()
    return None if connection.is_usable() else "the database does not answer"


class MigrationCheck:
    """Tells how many migrations are missing. Once none is, that stays so while the process lives with its files."""

    def __init__(self) -> None:
        self._is_complete = False

    def __call__(self) -> str | None:
        if self._is_complete:
            return None
        loader = MigrationLoader(connection)
        missing = len(loader.graph.nodes.keys() - (loader.applied_migrations or {}).keys())
        self._is_complete = missing == 0
        return None if self._is_complete else f"migrations not applied: {missing}; run `make migrate`"


def check_storage() -> str | None:
    """Tell why nothing can be stored: reading goes on for long on a disk that takes nothing."""
    try:
        if connection.vendor == "sqlite":
            _write_beside(Path(connection.settings_dict["NAME"]))
        else:
            LimitCount.objects.update_or_create(key=PROBE_KEY, defaults={"count": 0, "until_at": timezone.now()})
    except OSError as error:
        return f"nothing can be stored: {error.strerror}"
    except DatabaseError as error:
        found = unavailability(error)
        return f"nothing can be stored: {found or type(error).__name__}"
    return None


def _write_beside(file: Path) -> None:
    """Write what SQLite writes at least, where it writes; not into its file, whose writers would wait for it.

    That file is not even opened. Whoever closes it lets go of every lock that SQLite holds on it in this process
    (https://www.sqlite.org/howtocorrupt.html, 2.2), and then other processes break it.
    """
    file.stat()
    if not os.access(file, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    with tempfile.TemporaryFile(dir=file.parent) as probe:
        probe.write(bytes(PROBE_BYTES))
        probe.flush()
        os.fsync(probe.fileno())


def check_worker() -> str | None:
    """Tell whether a worker lives: background work waits without one."""
    alive = Process.objects.filter(
        kind=Process.Kind.WORKER, ended_at=None, beat_at__gte=timezone.now() - WORKER_SILENT_AFTER
    )
    return None if alive.exists() else "no worker has been heard of for 10 s: background work waits"


register_check("database", check_database, required=True)
register_check("storage", check_storage, required=True)
register_check("migrations", MigrationCheck(), required=True)
register_check("worker", check_worker, required=False)


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 as long as the process answers at all."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while pages can be served, else 503; with `?strict=1` also 503 when something beside them is missing.

    `{"status": "ready" | "degraded" | "unavailable", "checked_at": ISO 8601,
    "checks": {name: {"ok": bool, "required": bool, "problem": text or null}},
    "processes": [{"name": "web 2", "kind": "web" | "runner" | "worker", "restarts": count, "up_s": seconds,
    "silent_s": seconds since its last heartbeat}]}`; the processes are those of this database that live.
    """
    return answer_with(readiness.report(), is_strict=request.GET.get("strict") == "1")


def answer_with(report: Report, *, is_strict: bool) -> JsonResponse:
    """Make the response of `readyz` from a report."""
    is_failed = report.status == "unavailable" or (report.status == "degraded" and is_strict)
    body = {
        "status": report.status,
        "checked_at": report.checked_at.isoformat(),
        "checks": {
            name: {"ok": problem is None, "required": name in report.required, "problem": problem}
            for name, problem in report.problems.items()
        },
        "processes": report.processes,
    }
    return JsonResponse(body, status=HTTPStatus.SERVICE_UNAVAILABLE if is_failed else HTTPStatus.OK)
