"""Every change of sessions and invocations that is not the stream itself."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.agents.models import Agent
from apps.core.exceptions import InvalidInputError, MissingError
from apps.core.notices.notices import notify
from apps.core.prepared import Insert, Select, slot
from apps.core.tags import TAGS_AT_MOST, normalised, one_tag, tag_key, tags_named
from apps.sessions.engine.engine import engine
from apps.sessions.engine.host import check_agent
from apps.sessions.engine.turns import writing
from apps.sessions.exceptions import RequestKeyReusedError, SessionBusyError
from apps.sessions.indexing import mark_sessions_due
from apps.sessions.invoking import check_request_key, check_storable, stop_invocation, wait_for_end
from apps.sessions.models import Invocation, InvocationTag, Session, SessionTag
from apps.sessions.selectors import sessions_visible_to
from apps.sessions.signals import runs_deleting

logger = logging.getLogger(__name__)

TITLE_LENGTH = 80
_insert_session = Insert(Session)
_by_request_key = Select(
    lambda: (
        Session.objects.filter(owner_id=slot(User, "pk", "owner"), request_key=slot(Session, "request_key"))
        .select_related("agent__runtime")
        .order_by()[:1]
    )
)


def check_session_id(runtime_session_id: str) -> None:
    """Raise InvalidInputError unless AgentCore would take this as the id of a session."""
    if not Session.is_valid_id(runtime_session_id):
        raise InvalidInputError(
            "This is not a runtime session id.",
            advice="It has 33 to 100 letters, digits, - or _ and begins with a letter or a digit; str(uuid4()) is one.",
        )


def start_session(
    *,
    agent: Agent,
    owner: User,
    qualifier: str = "DEFAULT",
    runtime_session_id: str | None = None,
    title: str = "",
    request_key: str = "",
    purpose: Session.Purpose = Session.Purpose.CONVERSATION,
) -> Session:
    """Make a session; with `runtime_session_id` one that exists outside Loom.

    The same `request_key` (at most 64 characters) of the same owner again returns the same session; raises
    RequestKeyReusedError when it names another agent or endpoint, and MissingError for a session of somebody else. May
    block for one refresh of the agent.
    """
    check_request_key(request_key)
    earlier = _session_of_request(agent, owner, qualifier, request_key)
    if earlier is not None:
        return earlier
    check_agent(agent, qualifier)
    if runtime_session_id is not None:
        check_session_id(runtime_session_id)
    check_storable(title)
    try:
        with writing(is_first=True):
            return _insert_session(
                Session(
                    agent=agent,
                    owner=owner,
                    qualifier=qualifier,
                    runtime_session_id=runtime_session_id or str(uuid.uuid4()),
                    is_own_id=runtime_session_id is None,
                    title=_title(title),
                    purpose=purpose,
                    is_pinned=False,
                    request_key=request_key,
                    created_at=timezone.now(),
                )
            )
    except IntegrityError as error:
        earlier = _session_of_request(agent, owner, qualifier, request_key)
        if earlier is not None:
            return earlier
        if not sessions_visible_to(owner).filter(agent=agent, runtime_session_id=runtime_session_id).exists():
            raise MissingError.of("session", runtime_session_id, within=f"of agent {agent.pk}") from error
        raise SessionBusyError from error


def _title(text: str) -> str:
    lines = text.strip().splitlines() or [""]
    return lines[0][:TITLE_LENGTH]


def _session_of_request(agent: Agent, owner: User, qualifier: str, request_key: str) -> Session | None:
    """The session that this request made when it came before; raises MissingError where that was deleted since."""
    if not request_key:
        return None
    session = next(iter(_by_request_key(owner=owner.pk, request_key=request_key)), None)
    if session is not None and session.deleted_at is not None:
        raise MissingError(
            _("The session that this request began was deleted."), advice=_("Send it under another key to begin anew.")
        )
    if session is not None and (session.agent_id, session.qualifier) != (agent.pk, qualifier):
        raise RequestKeyReusedError
    return session


def end_session(*, session: Session) -> None:
    """Stop what the session is answering and let its host free what it keeps; call it from a thread.

    Sets `ended_at` when that was accepted, which on AWS is not proof that it is done. Blocks for up to a minute; raises
    LoomError. The next prompt gets a new environment.
    """
    asked_at = timezone.now()
    running = session.invocations.filter(status__in=Invocation.UNFINISHED).first()
    if running is not None and stop_invocation(invocation=running):
        wait_for_end(running.pk)  # by itself, not broken off by the end of its session
    engine.end_session(session)
    now = timezone.now()
    with transaction.atomic():
        row = Session.objects.filter(pk=session.pk)
        is_first = row.exclude(ended_at__gte=asked_at).update(ended_at=now)
        if not is_first:  # of several at once, such as web and worker with the same series: said once
            row.update(ended_at=now)
        notify(session.topic, "ended")
    session.ended_at = now
    if is_first:
        logger.log(session.log_level, "session ended session=%s", session.pk)


def rename_session(*, session: Session, title: str) -> None:
    """Give the session another title: the first line of `title`, at most 80 characters; empty takes it away."""
    check_storable(title)
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(title=_title(title))
        mark_sessions_due([session.pk])
        notify(session.topic, "renamed")
    session.title = _title(title)


def set_session_tags(*, session: Session, names: Iterable[str]) -> list[str]:
    """Give the session these tags in the place of those it has; return them as they are called.

    Raises InvalidInputError where a name cannot be one.
    """
    wanted = normalised(names)
    with transaction.atomic():
        Session.objects.select_for_update().filter(pk=session.pk).first()  # two at once do not mix
        tags = tags_named(wanted)
        SessionTag.objects.filter(session=session).delete()
        SessionTag.objects.bulk_create(SessionTag(session=session, tag=tag) for tag in tags)
        found = [tag.name for tag in tags]
        Session.objects.filter(pk=session.pk).update(former_tags=found)
        notify(session.topic, "tagged")
    session.former_tags = found
    return found


def _count_anew(agent_ids: Collection[int]) -> None:
    """Write down how often some agents were invoked and when last, where runs of theirs are gone."""
    # Locked before they are counted: of two at once the second sees what the first has deleted.
    agents = list(Agent.objects.select_for_update().filter(pk__in=agent_ids).only("pk").order_by("pk"))
    runs = Invocation.objects.filter(session__agent__in=agent_ids, session__deleted_at=None)
    left = runs.filter(status__in=Invocation.FINISHED).order_by()
    counted = left.values_list("session__agent").annotate(Max("requested_at"), Count("pk"))
    found = {agent_id: (last_at, count) for agent_id, last_at, count in counted}
    for agent in agents:
        agent.last_invoked_at, agent.invocation_count = found.get(agent.pk, (None, 0))
    Agent.objects.bulk_update(agents, ["last_invoked_at", "invocation_count"])


def runs_in_use(runs: QuerySet[Invocation]) -> set[int]:
    """The keys of those runs that something which goes on, such as a comparison, counts as done."""
    told: list[Any] = runs_deleting.send(Invocation, runs=runs)  # its stubs know of no answers but text
    return {key for _receiver, keys in told for key in keys}


def delete_invocations(*, invocations: Collection[Invocation]) -> set[int]:
    """Delete runs with their prompts, answers, recordings and measurements; return the keys of those that are gone.

    What is not over stays, what `runs_in_use` names, and the sessions. AgentCore is not told.
    """
    over = Invocation.objects.filter(pk__in=[run.pk for run in invocations], status__in=Invocation.FINISHED).order_by()
    with transaction.atomic():
        found = dict(over.exclude(pk__in=runs_in_use(over)).values_list("pk", "session_id"))
        # By their keys: what has ended since is told to have stayed, and stays.
        Invocation.objects.filter(pk__in=found).delete()
        sessions = Session.objects.filter(pk__in=set(found.values())).order_by()
        _count_anew(set(sessions.values_list("agent_id", flat=True)))
        for session in sessions.only("public_id"):
            notify(session.topic, "runs_deleted")
    logger.info("runs deleted count=%s sessions=%s", len(found), len(set(found.values())))
    return set(found)


def tag_invocations(*, invocations: Collection[Invocation], name: str) -> str:
    """Give each of these runs a tag beside those that it has; return how the tag is called.

    Raises InvalidInputError, and tags none, where the name cannot be one or a run has no room for another.
    """
    wanted = one_tag(name)
    with transaction.atomic():
        # Locked, so that two at once do not give a run more than it may have.
        runs = Invocation.objects.select_for_update(no_key=True).filter(pk__in=[run.pk for run in invocations])
        keys = list(runs.order_by("pk").values_list("pk", flat=True))
        (tag,) = tags_named([wanted])
        others = InvocationTag.objects.filter(invocation__in=keys).exclude(tag=tag).order_by()
        full = others.values("invocation").annotate(count=Count("pk")).filter(count__gte=TAGS_AT_MOST).count()
        if full:
            raise InvalidInputError(
                _("{count} of these runs have {most} tags already.").format(count=full, most=TAGS_AT_MOST),
                advice=_("Remove one of their tags first."),
            )
        InvocationTag.objects.bulk_create(
            (InvocationTag(invocation_id=key, tag=tag) for key in keys), ignore_conflicts=True
        )
    return tag.name


def untag_invocations(*, invocations: Collection[Invocation], name: str) -> int:
    """Take a tag away from those of these runs that have it; return how many had it. Raises InvalidInputError."""
    links = InvocationTag.objects.filter(
        invocation__in=[run.pk for run in invocations], tag__key=tag_key(one_tag(name))
    )
    return links.delete()[0]
