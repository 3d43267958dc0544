"""Statements of each page, fragment and read of the API, elements, and the bytes of style and script of a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from etc.checks.budget.limits import Measured
from etc.checks.budget.weight import elements_of, weight_of

# Not asked for: they answer with a stream that ends with its run.
STREAMS = frozenset({"GET /api/agents/{agent_id}/sessions/{session_id}/events"})
OF_SERIES = ("metrics:start-series-progress", "metrics:start-series-cancel")
# Who is signed in is led on from these.
FOR_STRANGERS = frozenset({"accounts:login"})
SHOWN_AT_MOST = 3
VALUES = re.compile(r"'(?:[^']|'')*'|\b[0-9]+\b")


@dataclass(frozen=True)
class Objects:
    """What the addresses are about."""

    agent: int
    session_public_id: object
    session_id: str
    series: int
    run: int
    prompt_set: int
    prompt_set_item: int
    plan: int
    comparison: int
    bench: int
    budget: int
    account: int
    link: int
    link_token: str
    alert: int
    rule: int
    channel: int
    notice: int

    def _key(self, name: str) -> int:
        if name.startswith("alerts:"):
            return self.alert
        if name == "overview:rating":
            return self.run
        is_of_series = name.startswith(OF_SERIES) or name == "metrics:start-series"
        return self.series if is_of_series else self.agent

    def arguments(self, name: str, wanted: list[str]) -> dict[str, object]:
        """The arguments of a named address; a KeyError names one that is new here."""
        known = {
            "pk": self._key(name),
            "agent_pk": self.agent, "agent_id": self.agent, "public_id": self.session_public_id,
            "session_id": self.session_id, "series_id": self.series, "number": 1,
            "run_id": self.run,
            "set_id": self.prompt_set, "plan_id": self.plan, "item_id": self.prompt_set_item,
            "comparison_id": self.comparison, "bench_id": self.bench, "budget_id": self.budget,
            "account_key": self.account, "link_id": self.link, "token": self.link_token,
            "alert_id": self.alert, "rule_id": self.rule, "channel_id": self.channel, "notice_id": self.notice,
        }  # fmt: skip
        return {argument: known[argument] for argument in wanted}


@dataclass(frozen=True)
class Address:
    """One thing to ask for; pages and fragments go by the name of their URL."""

    name: str
    path: str


def _named(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", list(pattern.pattern.converters)
        elif pattern.namespace not in {"admin", "api"}:
            yield from _named(pattern, f"{pattern.namespace}:" if pattern.namespace else prefix)


def pages(objects: Objects, queries: Mapping[str, str]) -> Iterator[Address]:
    """Every address that has a name; `queries` are the query strings of those that need one."""
    for name, wanted in _named(get_resolver()):
        path = reverse(name, kwargs=objects.arguments(name, wanted))
        yield Address(name, path + queries.get(name, ""))


def reads(schema: Mapping[str, Any], objects: Objects, queries: Mapping[str, str]) -> Iterator[Address]:
    """Everything that the API says can be read; `queries` as above."""
    for template, operations in schema["paths"].items():
        name = f"GET {template}"
        if "get" in operations and name not in STREAMS:
            wanted = [one["name"] for one in operations["get"].get("parameters", []) if one["in"] == "path"]
            yield Address(name, template.format(**objects.arguments(name, wanted)) + queries.get(name, ""))


def admin_lists() -> Iterator[Address]:
    """The list of each of our models in the administration."""
    for model in admin.site._registry:
        options = model._meta
        if apps.get_app_config(options.app_label).name.startswith("apps."):
            name = f"admin:{options.app_label}_{options.model_name}_changelist"
            yield Address(name, reverse(name))


class Walk:
    """Asks for each address when there are some rows, and again when there are three times as many."""

    def __init__(self, client: Client, addresses: list[Address]) -> None:
        self._client = client
        self._addresses = addresses
        self._statements: dict[str, list[str]] = {}
        self.measured = Measured({"queries": {}, "bytes": {}, "elements": {}})

    def first(self) -> None:
        """With some rows: what answers and what it loads."""
        for address in self._addresses:
            statements = self._ask(address, is_first=True)
            if statements is not None:
                self._statements[address.name] = statements
                self.measured.numbers["queries"][address.name] = len(statements)

    def again(self) -> None:
        """With three times as many: a page that now needs more statements asks once for each row."""
        for address in self._addresses:
            if address.name not in self._statements:
                continue
            few, many = self._statements[address.name], self._ask(address, is_first=False)
            if many is None or len(many) == len(few):
                continue
            self.measured.numbers["queries"][address.name] = max(len(few), len(many))
            self.measured.problems.append(
                f"queries: {address.name} needs {len(few)}, and {len(many)} with three times as many rows, "
                "where it must be the same number. Asked more often:"
                + "".join(f"\n    {one}" for one in _new(few, many))
            )

    def _ask(self, address: Address, *, is_first: bool) -> list[str] | None:
        """The statements of a second request, for the first one fills caches; None where there is nothing to show."""
        client = Client() if address.name in FOR_STRANGERS else self._client
        response = client.get(address.path)
        if response.status_code in {302, 405}:  # leads on, or only takes a form
            return None
        if response.status_code != 200:
            self.measured.problems.append(f"queries: {address.path} answered {response.status_code}")
            return None
        text = b"" if response.streaming else response.content
        if response["Content-Type"].startswith("text/html") and not address.name.startswith("admin:"):
            self._measure_html(address.name, text.decode(), is_first=is_first)
        with CaptureQueriesContext(connection) as captured:
            client.get(address.path)
        return [query["sql"] for query in captured]

    def _measure_html(self, name: str, html: str, *, is_first: bool) -> None:
        """The bytes of a page are the same with more rows, its elements and those of a fragment are not."""
        if not is_first:
            if count := elements_of(html):
                self.measured.numbers["elements"][name] = count
        elif html.lstrip().startswith("<!doctype html>"):
            self.measured.numbers["bytes"][name] = weight_of(html)


def _new(few: list[str], many: list[str]) -> list[str]:
    """What is asked more often with more rows, whatever the values in it."""
    more = Counter(map(_shape, many)) - Counter(map(_shape, few))
    return [f"{count} × {shape}" for shape, count in more.most_common(SHOWN_AT_MOST)]


def _shape(statement: str) -> str:
    return VALUES.sub("?", statement)
