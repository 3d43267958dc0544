"""Every address that Loom answers at, found in its URL configuration: pages, API and administration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# What stands for an argument of which a test says nothing.
EXAMPLES: Mapping[str, object] = {
    "app_label": "agents",
    "content_type_id": 1,
    "number": 1,
    "public_id": "00000000-0000-4000-8000-000000000000",
    "rest": "nowhere",
    "session_id": "s" * 36,
    "url": "nowhere/",
}
NOBODYS_KEY = 99_999


@dataclass(frozen=True)
class Address:
    """A place of the URL configuration: its name with its namespaces, and its route with arguments in brackets."""

    name: str
    route: str

    def at(self, keys: Mapping[str, Any] | None = None) -> str:
        """The path with the arguments of `keys`, and examples for others."""
        found = {**EXAMPLES, **(keys or {})}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: str(found.get(match[1], NOBODYS_KEY)), self.route)

    @property
    def is_admin(self) -> bool:
        return self.route.startswith("/admin/")

    @property
    def is_api(self) -> bool:
        return self.route.startswith("/api/")


def _walk(resolver: URLResolver, route: str, namespace: str) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        # The administration has regular expressions among its routes.
        below = route + re.sub(r"\(\?P(<\w+>).*?\)", r"\1", str(pattern.pattern)).lstrip("^").rstrip("$")
        if isinstance(pattern, URLPattern):
            yield Address(f"{namespace}{pattern.name or below}", below)
        else:
            yield from _walk(pattern, below, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)


def addresses() -> list[Address]:
    """All of them."""
    return list(_walk(get_resolver(), "/", ""))
