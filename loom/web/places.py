"""Where one can go from every page and what keys do there: one registry for navigation, palette, keys and their sheet.

A new page is a tab of an entry or a link on its page, not an entry: there are at most nine. A new key or action is a
row here; what it does is an address, or a command that `static/js/keys.js` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

MOST_PLACES = 9
# What a script does where a key is pressed or an action chosen; see `commands` of keys.js.
SHEET, SEARCH, LAST = "sheet", "search", "last"


@dataclass(frozen=True, slots=True)
class Place:
    """A page that every page leads to. `keys` are pressed one after the other; `is_of_staff` hides it from others.

    On a phone those that are not `is_in_bar` stand behind More.
    """

    label: Any
    url_name: str
    icon: str
    keys: str = ""
    is_of_staff: bool = False
    is_in_bar: bool = True

    @property
    def address(self) -> str:
        return reverse(self.url_name)


@dataclass(frozen=True, slots=True)
class Group:
    """Places of the navigation below one label; the first has none."""

    label: Any
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done from everywhere: what an address leads to, or a command of the script.

    An `anchor` follows the address. Those with `is_new` stand in the menu New.
    """

    label: Any
    icon: str
    url_name: str = ""
    anchor: str = ""
    command: str = ""
    keys: str = ""
    is_new: bool = False

    @property
    def address(self) -> str:
        return reverse(self.url_name) + self.anchor if self.url_name else ""


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A line of the sheet: keys that are pressed one after the other, or any of them (`are_choices`)."""

    keys: tuple[str, ...]
    text: Any
    are_choices: bool = False


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Keys of the sheet that are for the same."""

    label: Any
    rows: tuple[KeyRow, ...]


GROUPS = (
    Group(
        "",
        (
            Place(_("Agents"), "agents:list", "bot", "g a"),
            Place(_("Sessions"), "sessions:list", "messages-square", "g s"),
            Place(_("Runs"), "overview:runs", "list", "g r"),
        ),
    ),
    Group(
        _("Operate"),
        (
            Place(_("Overview"), "metrics:operate", "activity", "g o"),
            Place(_("Alerts"), "alerts:list", "bell", "g n", is_in_bar=False),
        ),
    ),
)
FOOT = (
    Place(_("API"), "api:openapi-view", "code", "g i"),
    Place(_("Admin"), "admin:index", "shield", "g d", is_of_staff=True),
)
ACTIONS = (
    Action(_("New session"), "message-square-plus", "sessions:new", keys="n", is_new=True),
    Action(_("Comparison"), "columns-3", "compare:new", is_new=True),
    Action(_("Prompt set"), "list-checks", "prompt_sets:new", is_new=True),
    Action(_("Alert rule"), "bell-plus", "alerts:rule-new", is_new=True),
    Action(_("Register an agent"), "bot", "agents:register", anchor="#id_arn", is_new=True),
    Action(_("Import agents"), "download", "agents:import", is_new=True),
    Action(_("AWS accounts"), "cloud", "aws_accounts:list"),
    Action(_("Check a file of evidence"), "file-check", "takeout:evidence"),
    Action(_("The session that was open last"), "history", command=LAST, keys="g l"),
    Action(_("Keys"), "keyboard", command=SHEET, keys="?"),
)
# Commands that have a key and are no entry of the palette, which has them already.
_MORE_KEYS = {"/": SEARCH}
_FIRST = (
    KeyRow(("Ctrl K", "⌘ K"), _("Search and go anywhere"), are_choices=True),
    KeyRow(("/",), _("Search this list, or everything")),
)
_CLOSE = KeyRow(("Esc",), _("Close what is open"))
# What these do stands in scripts of their own.
_OF_PAGES = (
    KeyGroup(
        _("In a list"),
        (KeyRow(("j", "k"), _("Next and previous row"), are_choices=True), KeyRow(("Enter",), _("Open the row"))),
    ),
    KeyGroup(
        _("In a session"),
        (
            KeyRow(("Enter",), _("Send the prompt")),
            KeyRow(("Shift Enter",), _("New line in the prompt")),
            KeyRow(("Esc",), _("Stop the answer")),
        ),
    ),
)
# Pages that stand below another place than their app's own.
_PLACE_OF_VIEW = {
    "sessions:agent-logs": "agents",
    "sessions:agent-log-doctor": "agents",
    "metrics:start-series": "agents",
    "takeout:evidence": "sessions",
}
# Namespaces without a place of their own, and the one of the place that their pages stand below.
_PLACE_OF_NAMESPACE = {
    "aws_accounts": "agents",
    "bench": "metrics",
    "compare": "metrics",
    "costs": "metrics",
    "prompt_sets": "overview",
}


def place_of(view_name: str, namespace: str) -> str:
    """The name of the place's address that a page belongs to; empty for a page of none."""
    wanted = _PLACE_OF_VIEW.get(view_name, _PLACE_OF_NAMESPACE.get(namespace, namespace))
    names = (place.url_name for group in GROUPS for place in group.places)
    return next((name for name in names if name.split(":")[0] == wanted), "")


def foot_for(*, is_staff: bool) -> list[Place]:
    """What stands below the navigation for somebody."""
    return [place for place in FOOT if is_staff or not place.is_of_staff]


def places_for(*, is_staff: bool) -> list[Place]:
    """Every place that somebody may open."""
    return [*(place for group in GROUPS for place in group.places), *foot_for(is_staff=is_staff)]


def bindings(*, is_staff: bool) -> Mapping[str, str]:
    """What the keys of every page do, for the script: an address, or the name of a command."""
    goes = {place.keys: place.address for place in places_for(is_staff=is_staff) if place.keys}
    does = {action.keys: action.address or action.command for action in ACTIONS if action.keys}
    return goes | does | _MORE_KEYS


def key_groups(*, is_staff: bool) -> list[KeyGroup]:
    """The sheet of all keys."""
    known = [place for place in places_for(is_staff=is_staff) if place.keys]
    to_go = tuple(KeyRow(tuple(place.keys.split()), place.label) for place in known)
    to_do = tuple(KeyRow(tuple(action.keys.split()), action.label) for action in ACTIONS if action.keys)
    return [KeyGroup(_("Everywhere"), (*_FIRST, *to_do, _CLOSE)), KeyGroup(_("Go to"), to_go), *_OF_PAGES]
