"""What Loom answers about a database over HTTP, asked through Django's handler.

A program of its own that knows nothing but addresses, so that the landed version's code can run it too:
PYTHONPATH=<its folder> python answers.py writes the answers as JSON, in the environment of a Loom.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import django
from django.contrib.auth.signals import user_logged_in
from django.test import Client
from django.test.utils import override_settings, setup_test_environment

SESSIONS_ASKED = 60
SESSIONS_LISTED = 200
OVER = {"complete", "error"}
# A microsecond in seconds, and less than one in milliseconds: what the landed version said beyond it was noise.
LEAST_DIFFERENCE = 1e-6


def read() -> dict[str, Any]:
    """The answers by who asks, in which mode, and the address."""
    found: dict[str, Any] = {}
    warnings.simplefilter("ignore")  # Django's, of streams that a synchronous client reads
    logging.disable(logging.WARNING)
    user_logged_in.disconnect(dispatch_uid="update_last_login")  # reading must not write
    for mode in ("emulator", "aws"):
        with override_settings(LOOM_AWS=mode):
            for person in ("staff", "member1"):
                asking = _Asking(f"{person}@example.com", has_details=person == "staff")
                found |= {f"{mode} {person} {path}": answer for path, answer in asking.everything()}
    return found


class _Asking:
    """One person; what every session says is asked by staff alone, who see all of them."""

    def __init__(self, email: str, *, has_details: bool) -> None:
        from django.contrib.auth import get_user_model  # noqa: PLC0415 -- needs the app registry

        self._has_details = has_details
        self._client = Client()
        self._client.force_login(get_user_model()._default_manager.get(email=email))

    def everything(self) -> Iterator[tuple[str, Any]]:
        """Each address with its answer."""
        agents = self._json("/api/agents")
        yield "/api/agents", agents
        for agent in agents:
            path = f"/api/agents/{agent['id']}"
            yield path, self._json(path)
            yield f"/agents/{agent['id']}/", self._status(f"/agents/{agent['id']}/")
            for purpose in ("conversation", "measure_start"):
                listed = f"{path}/sessions?limit={SESSIONS_LISTED}&purpose={purpose}"
                sessions = self._json(listed)
                yield listed, [session["session_id"] for session in sessions]
                if self._has_details:
                    for session in sessions[:: max(1, len(sessions) * len(agents) // SESSIONS_ASKED)]:
                        yield from self._session(path, session)
        for path in ("/agents/", "/sessions/", "/operate/", *(f"/api/start-series/{key}" for key in range(1, 8))):
            yield path, self._json(path) if path.startswith("/api/") else self._status(path)

    def _session(self, agent_path: str, session: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        path = f"{agent_path}/sessions/{session['session_id']}"
        detail = self._json(path)
        yield path, detail
        yield session["url"], self._status(session["url"])
        for run in detail["invocations"]:
            number = run["invocation"]
            yield f"{path}/latency?invocation={number}", self._json(f"{path}/latency?invocation={number}")
            answer = f"{session['url']}answers/{number}/"
            yield answer, self._digest(answer)
            if run["status"] in OVER:
                events = f"{path}/events?since=0&detail=true&invocation={number}"
                yield events, self._events(events)

    def _json(self, path: str) -> Any:
        response = self._client.get(path)
        return response.json() if response.status_code == 200 else response.status_code

    def _status(self, path: str) -> int:
        return self._client.get(path).status_code

    def _events(self, path: str) -> list[Any]:
        """The server-sent events of a run that is over: the name and the data of each."""
        response: Any = self._client.get(path)
        frames = b"".join(response).decode().strip().split("\n\n")
        parsed = [dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line) for frame in frames]
        return [[frame.get("event"), json.loads(frame["data"])] for frame in parsed if "data" in frame]

    def _digest(self, path: str) -> str:
        """The status and a checksum of what is too long to keep."""
        response: Any = self._client.get(path)
        return f"{response.status_code} {hashlib.sha256(response.content).hexdigest()[:16]}"


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """What of `expected` is missing or different in `actual`, which may have more keys and fewer useless digits."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        missing = [f"{where} has no {key}".strip() for key in expected if key not in actual]
        inside = [
            differences(expected[key], actual[key], f"{where} {key}".strip()) for key in expected if key in actual
        ]
        return missing + [line for lines in inside for line in lines]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for index, (one, other) in pairs for line in differences(one, other, f"{where}[{index}]")]
    if isinstance(expected, float) and isinstance(actual, float) and abs(expected - actual) < LEAST_DIFFERENCE:
        return []
    return [] if expected == actual else [f"{where}: {expected!r} became {actual!r}"[:500]]


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
    django.setup()
    setup_test_environment(debug=False)
    sys.stdout.write(f"{json.dumps(read(), sort_keys=True, ensure_ascii=False)}\n")
