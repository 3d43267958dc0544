"""What a newcomer has done with Loom, read from what it left: nobody ticks anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.metrics.models import Measurement, StartSeries
from apps.metrics.series.services import DEMO_KEY
from apps.sessions.models import Invocation, Session
from apps.takeout.models import SharedLink

# Whoever has more is no newcomer, and what they have done would be long to look through.
SESSIONS_AT_MOST = 300
COLD = (Measurement.StartKind.CREATED, Measurement.StartKind.POOLED)


@dataclass(frozen=True, slots=True)
class Step:
    """`link` is where it can be done, empty where it needs a step before."""

    label: str
    is_done: bool
    link: str = ""


def first_steps(user: User) -> list[Step]:
    """The five steps, or nothing for who has put them away or is long beyond them. One statement."""
    found = _left_by(user)
    if found is None:
        return []
    session, agent = found["last_session"], found["last_agent"]
    register = reverse("agents:register")
    return [
        Step(_("Send a prompt to an agent"), found["has_asked"]),
        Step(_("See its cold start measured"), found["has_measured"], _link("sessions:detail", session)),
        Step(_("Run a prompt again, or on another agent"), found["has_repeated"], _link("sessions:again", session, 1)),
        Step(_("Measure a start in a series"), found["has_series"], _link("agents:measure", agent)),
        Step(
            _("Share a session by a link, or register an agent of your own"),
            found["has_shared"] or found["has_registered"],
            _link("sessions:take-out", session) or register,
        ),
    ]


def _link(name: str, key: object, *more: object) -> str:
    """The address of what a step needs; empty as long as that is not there."""
    return reverse(name, args=[key, *more]) if key else ""


def _left_by(user: User) -> Mapping[str, Any] | None:
    """What the user's own rows tell, without those of the demo's history."""
    runs = Invocation.objects.filter(session__owner=user, session__purpose=Session.Purpose.CONVERSATION)
    asked = runs.exclude(source=Invocation.Source.DEMO)
    measured = Measurement.objects.filter(
        invocation__in=asked.values("pk"), start_kind__in=COLD, agent_started_at__isnull=False
    )
    repeated = runs.filter(Q(repeated_from__isnull=False) | Q(source=Invocation.Source.SIDE_BY_SIDE))
    sessions = Session.objects.filter(owner=user).order_by("-created_at")
    last = sessions.filter(Exists(asked.filter(session=OuterRef("pk"))), deleted_at=None)
    series = StartSeries.objects.filter(owner=user).exclude(request_key__startswith=DEMO_KEY)
    return (
        User.objects.filter(pk=user.pk, first_steps__isnull=True)
        .exclude(Exists(sessions[SESSIONS_AT_MOST : SESSIONS_AT_MOST + 1]))
        .values(
            has_asked=Exists(asked),
            has_measured=Exists(measured),
            has_repeated=Exists(repeated),
            has_series=Exists(series),
            has_shared=Exists(SharedLink.objects.filter(made_by=user)),
            has_registered=Exists(Agent.objects.filter(registered_by=user)),
            last_session=Subquery(last.values("public_id")[:1]),
            last_agent=Subquery(last.values("agent")[:1]),
        )
        .first()
    )
