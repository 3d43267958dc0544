"""Whatever an address, a form or a body holds in a parameter, nobody hears of a mistake of ours: every one is told why.

AWS refuses everything here, which is a 502 to those who come that far. Values that have found mistakes are tried in
every place. Of the others each is tried in a quarter of the places, and each place with a quarter of them, or the table
would take minutes: deep tests try everything everywhere.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from threading import Thread
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from apps.accounts.models import User
from apps.agentcore.models import Runtime
from apps.sessions.engine.engine import engine
from apps.sessions.models import Session
from loom.api import api
from loom.tests.doors.furnishing import furnish, make_plan
from loom.tests.doors.knocking import Walk
from loom.tests.fixtures import make_user
from loom.tests.walking import Address, addresses

pytestmark = pytest.mark.django_db

# Of the pages: what any of them reads of its address or a form of it.
NAMES = (
    "account", "action", "add", "after", "again", "agent", "all", "arn", "ask", "at", "at_once", "before", "chart",
    "check", "check-0-kind", "check-0-ms", "check-0-text", "count", "days", "download", "ends_session", "environment",
    "error", "external_id", "favourite", "file", "find", "first", "format", "from", "from_hour", "hands_back",
    "has_warm_turn", "idle", "idle_minutes", "ids", "invocation", "is_at_once", "is_enabled", "keep_hours", "kind",
    "label", "last", "level", "mark", "max_cost_usd", "max_minutes", "measure_start", "metric", "mode", "name", "next",
    "of", "order", "owner", "page", "pairs", "password", "payload", "payload_template", "ping_minutes", "prompt",
    "purpose", "q", "qualifier", "range", "read_timeout_ms", "read_timeout_s", "region", "regions", "repeats",
    "request_key", "role_arn", "row", "run", "rungs", "runs", "second", "seed", "seen", "series", "session_id",
    "shape", "show", "since", "sort", "starred", "start", "state", "status", "stops_early", "strict", "tag",
    "target_1", "text", "theme", "title", "to", "to_hour", "username", "version", "wait", "warm_up", "words", "wrap",
)  # fmt: skip
VALUES = {
    "nothing": "",
    "zero": "0",
    "minus one": "-1",
    "above 64 bits": str(2**63),
    "below 64 bits": str(-(2**63) - 1),
    "10^30": str(10**30),
    "5,000 digits": "9" * 5_000,
    "not a number": "NaN",
    "infinite": "-Infinity",
    "1e400": "1e400",
    "1e-400": "1e-400",
    "a fraction": "0.5",
    "another's digits": "٣",
    "superscript": "²",
    "year 0": "0000-01-01T00:00:00Z",
    "year 1": "0001-01-01T00:00:00+14:00",
    "year 1, UTC": "0001-01-01T00:00:00Z",
    "year 1500": "1500-01-01T00:00:00Z",
    "year 9999": "9999-12-31T23:59:59-14:00",
    "year 9999, UTC": "9999-12-31T23:59:59Z",
    "year 9999999": "9999999-01-01T00:00:00Z",
    "a leap second": "2026-06-30T23:59:60Z",
    "absurd offset": "2026-11-20T12:00:00+99:99",
    "widest offset": "2026-11-20T12:00:00-23:59",
    "seconds": str(253_402_300_800),
    "NUL": "a\0b",
    "half a pair": "\ud800",
    "long": "x" * 5_000,
    "a list": "1,2,,-3,x,99999999999999999999999",
    "template": "{{prompt}}{% x %}",
    "pattern": "%_\\",
}  # fmt: skip
JSON_VALUES: dict[str, str] = {
    **{name: json.dumps(value) for name, value in VALUES.items()},
    "null": "null",
    "true": "true",
    "number above 64 bits": str(2**63),
    "number 10^30": str(10**30),
    "number of 5,000 digits": "9" * 5_000,
    "number NaN": "NaN",
    "number Infinity": "Infinity",
    "number 1e400": "1e400",
    "number -0.0": "-0.0",
    "empty list": "[]",
    "empty object": "{}",
    "nested": "[" * 500 + "]" * 500,
    "nested too deep": "[" * 100_000 + "]" * 100_000,
    "object with NUL": '{"\\u0000": "\\u0000\\ud800"}',
}


FRUITFUL = {
    "nothing",
    "above 64 bits",
    "10^30",
    "year 9999",
    "NUL",
    "half a pair",
    "null",
    "number 1e400",
    "empty list",
}
OTHERS_SHARE = 4
EVERYWHERE = pytest.param(True, marks=pytest.mark.deep, id="everywhere")
shares = pytest.mark.parametrize("is_everywhere", [pytest.param(False, id="share"), EVERYWHERE])


def is_tried(values: dict[str, str], name: str, place: int, is_everywhere: bool) -> bool:
    """Whether the value of that name is tried in the place of that number."""
    return is_everywhere or name in FRUITFUL or (list(values).index(name) + place) % OTHERS_SHARE == 0


class Prober:
    """Asks as a user who may do everything, in an installation with a session, a run and a series of hers."""

    def __init__(self, walk: Walk, user: User) -> None:
        self._walk = walk
        self.client = Client(raise_request_exception=False)
        self.client.force_login(user)
        self._signed_in = self.client.cookies[settings.SESSION_COOKIE_NAME].value

    def status(self, method: str, address: Address, body: Any = "", query: dict[str, Any] | None = None) -> int:
        """The status of an answer, all of it read; what it changes is taken back."""
        path = self._walk.path(address)
        kind = "application/json" if address.is_api else "application/x-www-form-urlencoded"
        with transaction.atomic():
            asked = urlencode(query or {}, errors="surrogatepass")
            answer = self.client.generic(method, path, body, content_type=kind, QUERY_STRING=asked)
            transaction.set_rollback(True)
        self.client.cookies[settings.SESSION_COOKIE_NAME] = self._signed_in  # one of the addresses signs out
        return answer.status_code


@pytest.fixture
def prober(make_session: Callable[..., Session], refusing_aws: None) -> Prober:
    dave = make_user("dave@example.com", is_staff=True, is_superuser=True)
    session = make_session(owner=dave)
    series = furnish(session)
    return Prober(Walk(session, series, make_plan(session), {"owner": dave, "other": dave}), dave)


@pytest.fixture
def accepting(db: None) -> Iterator[None]:
    """The engine of this process accepts runs, on a loop of its own, as in a process that serves."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(engine.start(uuid4()), loop).result()
        yield
        asyncio.run_coroutine_threadsafe(engine.close(drain_s=0), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def is_told(status: int) -> bool:
    return status < 500 or status == 502


def pages() -> list[Address]:
    return [address for address in addresses() if not address.is_api and not address.is_admin]


@shares
@pytest.mark.parametrize("name", VALUES)
def test_addresses_of_pages(prober: Prober, name: str, is_everywhere: bool) -> None:
    query = dict.fromkeys(NAMES, VALUES[name])
    found = {
        address.name: prober.status("GET", address, query=query)
        for place, address in enumerate(pages())
        if is_tried(VALUES, name, place, is_everywhere)
    }

    assert {name: status for name, status in found.items() if not is_told(status)} == {}


@shares
@pytest.mark.parametrize("name", VALUES)
def test_forms(prober: Prober, name: str, is_everywhere: bool) -> None:
    body = urlencode(dict.fromkeys(NAMES, VALUES[name]), errors="surrogatepass")
    found = {
        address.name: prober.status("POST", address, body)
        for place, address in enumerate(pages())
        if is_tried(VALUES, name, place, is_everywhere)
    }

    assert {name: status for name, status in found.items() if not is_told(status)} == {}


@cache
def schema() -> dict[str, Any]:
    """The API's description; making it takes longer than asking it everything."""
    return dict(api.get_openapi_schema(path_prefix="/api/"))


def operations() -> Iterator[tuple[str, Address, dict[str, Any]]]:
    by_path = {re.sub(r"<(?:int:)?(\w+)>", r"{\1}", address.route): address for address in addresses()}
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), by_path[path], operation


def parameters() -> Iterator[tuple[str, Address, str]]:
    for method, address, operation in operations():
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                yield method, address, parameter["name"]


@shares
@pytest.mark.parametrize("name", VALUES)
def test_addresses_of_the_api(prober: Prober, name: str, is_everywhere: bool) -> None:
    found = {}
    for place, (method, address, parameter) in enumerate(parameters()):
        if is_tried(VALUES, name, place, is_everywhere):
            body = "{}" if method == "POST" else ""
            found[address.name, parameter] = prober.status(method, address, body, query={parameter: VALUES[name]})

    assert len(found) >= 10
    assert {name: status for name, status in found.items() if not is_told(status)} == {}


def properties_of(operation: dict[str, Any]) -> dict[str, Any]:
    if "requestBody" not in operation:
        return {}
    found: dict[str, Any] = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in found:
        found = schema()["components"]["schemas"][found["$ref"].rpartition("/")[2]]
    return dict(found["properties"])


USUAL = {"arn": "x", "prompt": "Hi", "stream": False}


def bodies(value: str) -> Iterator[tuple[str, Address, str, str]]:
    """The bodies that hold `value`, each in one property or as a whole: method, address, where, body."""
    for method, address, operation in operations():
        properties = properties_of(operation)
        for name in properties:
            others = {key: json.dumps(other) for key, other in USUAL.items() if key in properties}
            body = ", ".join(f"{json.dumps(key)}: {text}" for key, text in {**others, name: value}.items())
            yield method, address, name, f"{{{body}}}"
        if properties:
            yield method, address, "body", value


@shares
@pytest.mark.parametrize("name", JSON_VALUES)
def test_bodies_of_the_api(accepting: None, prober: Prober, name: str, is_everywhere: bool) -> None:
    """The agent wants another sign-in than AWS's here, so that nothing is sent to it."""
    Runtime.objects.update(authorizer_kind="jwt")
    found = {
        (address.name, where): prober.status(method, address, body)
        for place, (method, address, where, body) in enumerate(bodies(JSON_VALUES[name]))
        if is_tried(JSON_VALUES, name, place, is_everywhere)
    }

    assert len(found) >= 10
    assert {name: status for name, status in found.items() if not is_told(status)} == {}
