"""Who may do what with which thing: rows of rules, and nothing is allowed that no row allows.

A row's condition is written once and read twice, of one thing (`decide`) and as the filter of a list (`visible`): what
a list shows and what opens by its address are the same things. Nothing here knows a model or asks the database.

Whoever may not read a thing is not told that it exists: doors take things from lists, and answer 404. Who is signed out
meets a door before: see `SignedInMiddleware` and `Access`. The administration keeps Django's permissions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.db.models import Q

from apps.accounts.tokens import Scope, includes

Action = Literal["read", "invoke", "manage", "read figures", "read all lines", "restore"]

# The scope that a token needs for it.
SCOPE_OF: Mapping[Action, Scope] = {
    "read": "read",
    "invoke": "invoke",
    "manage": "manage",
    "read figures": "read",
    "read all lines": "read",
    "restore": "manage",
}


class Person(Protocol):
    """A user, or the one who is not signed in."""

    @property
    def pk(self) -> Any: ...
    @property
    def is_staff(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks. Without a `key` nobody is signed in; `scope` is as far as a token goes, None for who uses none.

    The development user is one like any other, of the staff.
    """

    key: int | None = None
    is_staff: bool = False
    scope: Scope | None = None


def subject_of(person: Person, scope: Scope | None = None) -> Subject:
    return Subject(person.pk, person.is_staff, scope)


# Whether a subject may at all, or what a thing has to have for it: values by their path, in the words of a filter.
Grant = bool | Mapping[str, object]
Condition = Callable[[Subject], Grant]


def everyone(subject: Subject) -> Grant:
    """Whoever is signed in."""
    return True


def staff(subject: Subject) -> Grant:
    return subject.is_staff


def owner(path: str) -> Condition:
    """Whose key the thing has at `path`."""
    return lambda subject: {path: subject.key}


def unless_deleted(condition: Condition, session: str = "") -> Condition:
    """The same, but of nothing that belongs to a session that was deleted; `session` is the way there, as `session__`.

    So whoever deletes a session takes it, and all that is of it, from everybody at once.
    """

    def granted(subject: Subject) -> Grant:
        grant = condition(subject)
        if grant is False:
            return False
        return {**({} if grant is True else grant), f"{session}deleted_at": None}

    return granted


def nobodys(path: str) -> Condition:
    """Of whoever is signed in, for a thing that has nobody's key at `path`: it belongs to Loom itself."""
    return lambda subject: {path: None}


@dataclass(frozen=True, slots=True)
class Row:
    """Lets those of the condition do the actions with things of the model. Several rows of one model add up."""

    actions: frozenset[Action]
    model: str
    condition: Condition


ANYTHING: frozenset[Action] = frozenset({"read", "invoke", "manage"})

ROWS = (
    # The registry is everybody's. Figures of an agent count the runs of all, and show none of them.
    Row(ANYTHING | {"read figures"}, "agents.Agent", everyone),
    # Lines may quote what was said: others read those of their own sessions.
    Row(frozenset({"read all lines"}), "agents.Agent", staff),
    # A role may let Loom in where a user is not let in: who says which ones Loom takes on is of the staff.
    Row(frozenset({"read"}), "agentcore.AwsAccount", everyone),
    Row(ANYTHING, "agentcore.AwsAccount", staff),
    # Staff may see in the administration that there are some; to use them is their owner's.
    Row(ANYTHING, "vault.Secret", owner("owner_id")),
    # AgentCore does not tie sessions to users, so these do.
    Row(ANYTHING, "agent_sessions.Session", unless_deleted(owner("owner_id"))),
    Row(ANYTHING, "agent_sessions.Session", unless_deleted(staff)),
    # What was deleted, where it was.
    Row(frozenset({"restore"}), "agent_sessions.Session", owner("owner_id")),
    Row(frozenset({"restore"}), "agent_sessions.Session", staff),
    Row(ANYTHING, "agent_sessions.Invocation", unless_deleted(owner("session__owner_id"), "session__")),
    Row(ANYTHING, "agent_sessions.Invocation", unless_deleted(staff, "session__")),
    Row(ANYTHING, "metrics.StartSeries", owner("owner_id")),
    Row(ANYTHING, "metrics.StartSeries", staff),
    Row(ANYTHING, "metrics.PromptSet", owner("owner_id")),
    Row(ANYTHING, "metrics.PromptSet", staff),
    Row(ANYTHING, "metrics.Plan", owner("owner_id")),
    Row(ANYTHING, "metrics.Plan", staff),
    Row(ANYTHING, "metrics.AlertRule", owner("owner_id")),
    Row(ANYTHING, "metrics.AlertRule", staff),
    Row(ANYTHING, "metrics.Alert", owner("rule__owner_id")),
    Row(ANYTHING, "metrics.Alert", staff),
    # The rules that came with Loom are nobody's: everybody sees what they find and may say that they look after it.
    Row(frozenset({"read"}), "metrics.AlertRule", nobodys("owner_id")),
    Row(frozenset({"read", "invoke"}), "metrics.Alert", nobodys("rule__owner_id")),
    # Where somebody is told is nobody else's, and what is told there.
    Row(ANYTHING, "metrics.AlertChannel", owner("owner_id")),
    Row(ANYTHING, "metrics.AlertNotice", owner("channel__owner_id")),
    Row(ANYTHING, "costs.Budget", owner("owner_id")),
    Row(ANYTHING, "costs.Budget", staff),
    # What is shared of a session is a matter of who has the session, whoever made the link.
    Row(ANYTHING, "takeout.SharedLink", unless_deleted(owner("session__owner_id"), "session__")),
    Row(ANYTHING, "takeout.SharedLink", unless_deleted(staff, "session__")),
    Row(ANYTHING, "overview.Rating", unless_deleted(owner("owner_id"), "invocation__session__")),
    Row(ANYTHING, "overview.Rating", unless_deleted(staff, "invocation__session__")),
    # What somebody looks for is nobody else's.
    Row(ANYTHING, "overview.SavedView", owner("owner_id")),
)


def reaches(subject: Subject, scope: Scope) -> bool:
    """Whether the subject gets through a door of this scope: it is signed in, and its token, if any, goes as far."""
    return subject.key is not None and (subject.scope is None or includes(subject.scope, scope))


def decide(subject: Subject, action: Action, thing: Any) -> bool:
    """Whether the subject may do the action with this thing, a row of a model or what looks like one."""
    granted = _granted(subject, action, thing._meta.label)
    return any(all(_value(thing, path) == value for path, value in grant.items()) for grant in granted)


def visible(subject: Subject, model: Any, action: Action = "read") -> Q:
    """The filter that leaves the things of a model with which the subject may do the action."""
    granted = _granted(subject, action, model._meta.label)
    if {} in granted:  # Django would take an empty filter for none, not for everything
        return Q()
    found = Q(pk__in=[])
    for grant in granted:
        found |= Q(**grant)
    return found


def _granted(subject: Subject, action: Action, label: str) -> list[Mapping[str, object]]:
    """What a thing has to have, one after the other; {} where that is nothing."""
    if not reaches(subject, SCOPE_OF[action]):
        return []
    conditions = [row.condition(subject) for row in ROWS if row.model == label and action in row.actions]
    grants = [{} if grant is True else grant for grant in conditions if not isinstance(grant, bool) or grant]
    # One that asks for more than another adds nothing but an alternative, which keeps a database from its indexes.
    return [grant for grant in grants if not any(other.items() < grant.items() for other in grants)]


def _value(thing: Any, path: str) -> object:
    for name in path.split("__"):
        thing = None if thing is None else getattr(thing, name)
    return thing
