"""Nine entries for good: every page is one of them, or a tab or link of their pages leads to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import Resolver404, resolve

from apps.aws.tests.loopback import loopback
from apps.sessions.models import Session
from loom.tests.doors.furnishing import furnish, make_plan, refuse
from loom.tests.doors.knocking import Walk
from loom.tests.fixtures import make_user
from loom.tests.walking import Address, addresses
from loom.web import places

pytestmark = pytest.mark.django_db
ENTRIES = [place for group in places.GROUPS for place in group.places]
FRAME = '<div class="side">'
# Pages with the frame to which no link leads, and why.
REACHED_OTHERWISE = {
    "design": "for whoever works on Loom",
    "sessions:log-doctor": "a log without lines leads there, which AWS has to have said",
    "sessions:agent-log-doctor": "the same, of an agent",
    "sessions:queued-prompt": "stands in the page of its session; alone only without scripts, after an error",
}  # fmt: skip
LINK = re.compile(r'(?:href|hx-get)="([^"#]+)')
# Nothing is read of a file, and a session may have many.
IS_FILE = re.compile("csv|export|download")


def text_of(client: Client, path: str) -> str:
    """The HTML of an address; nothing where it answers otherwise."""
    answer = client.get(path)
    is_html = answer.status_code == 200 and answer.get("Content-Type", "").startswith("text/html")
    return answer.content.decode() if is_html and not answer.streaming else ""


def name_of(path: str) -> str:
    try:
        return resolve(path).view_name
    except Resolver404:
        return ""


def reached(client: Client) -> set[str]:
    """The names of all addresses to which the entries' pages lead, by links and by what they fetch."""
    waiting = [place.address for place in ENTRIES]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        name = name_of(urlsplit(path).path)
        if not name or name in found or name.startswith(("admin:", "api:")):
            continue
        found.add(name)
        if not IS_FILE.search(name):
            waiting += [unescape(link) for link in LINK.findall(text_of(client, path)) if link.startswith("/")]
    return found


def pages() -> list[Address]:
    return [one for one in addresses() if not one.is_api and not one.is_admin and not IS_FILE.search(one.name)]


def test_there_are_at_most_nine_entries() -> None:
    assert 4 <= len(ENTRIES) <= places.MOST_PLACES
    assert all(group.places for group in places.GROUPS)
    assert not places.GROUPS[0].label


def test_every_page_is_reached_from_an_entry(make_session: Callable[..., Session], settings: Any) -> None:
    dave = make_user("dave@example.com", is_staff=True, is_superuser=True)
    session = make_session(owner=dave, title="Two days in Ghent")
    series = furnish(session)
    client = Client()
    client.force_login(dave)
    with loopback(refuse) as aws:
        settings.EMULATOR_URL = aws.url
        walk = Walk(session, series, make_plan(session), {"owner": dave, "other": dave})
        framed = {address.name for address in pages() if FRAME in text_of(client, walk.path(address))}
        missing = framed - reached(client)

    assert {"agents:detail", "sessions:detail", "overview:runs", "metrics:start-series"} <= framed
    assert missing <= set(REACHED_OTHERWISE)


def test_no_two_ways_have_the_same_keys_and_none_begins_another() -> None:
    ways = [*(place.keys for place in places.places_for(is_staff=True)), *(action.keys for action in places.ACTIONS)]
    keys = [way for way in ways if way]

    assert len(set(keys)) == len(keys)
    assert set(places.bindings(is_staff=True)) >= set(keys)
    assert not [(one, other) for one in keys for other in keys if other.startswith(f"{one} ")]


def test_what_is_for_staff_has_no_key_and_no_link_for_others() -> None:
    assert "g d" in places.bindings(is_staff=True)
    assert "g d" not in places.bindings(is_staff=False)
    assert "admin:index" not in {place.url_name for place in places.places_for(is_staff=False)}
    assert "Admin" not in [str(row.text) for group in places.key_groups(is_staff=False) for row in group.rows]


def test_each_key_stands_in_the_sheet() -> None:
    shown = {" ".join(row.keys) for group in places.key_groups(is_staff=True) for row in group.rows}

    assert set(places.bindings(is_staff=True)) <= shown
