"""What a run leaves in the tables, written by Django's ORM in its plainest words: what the ledger has to equal."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.agents.models import Agent
from apps.core.models import Notice
from apps.sessions.engine.cost import cost_columns
from apps.sessions.engine.host import host_of
from apps.sessions.models import Invocation, Recording, RecordingBatch, Session
from loom_events.recorded import RecordedEvent


def start(session: Session, prompt: str, *, payload: str, process_id: UUID | None, request_key: str) -> Invocation:
    now = timezone.now()
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(last_invoked_at=now)
        newest = Invocation.objects.filter(session=session).order_by("-number").first()
        run = Invocation.objects.create(
            session=session,
            number=newest.number + 1 if newest else 1,
            prompt=prompt,
            payload=payload,
            process_id=process_id,
            request_key=request_key,
            requested_at=now,
            kind=session.agent.kind,
            source=Invocation.Source.MANUAL,
            version=host_of(session.agent.kind).version(session.agent, session.qualifier),
        )
        Notice.objects.create(topic=session.topic, kind=f"started:{run.pk}")
    return run


def write(run: Invocation, events: list[RecordedEvent], fields: dict[str, Any]) -> None:
    with transaction.atomic():
        _store_events(run, events)
        Invocation.objects.filter(pk=run.pk).update(**fields)
        if "first_chunk_at" in fields:
            Notice.objects.create(topic=run.session.topic, kind="measurement")


def end(
    run: Invocation, events: list[RecordedEvent], fields: dict[str, Any], *, status: str, completed_at: datetime
) -> None:
    with transaction.atomic():
        _store_events(run, events)
        Invocation.objects.filter(pk=run.pk).update(**fields, status=status, completed_at=completed_at)
        stored = Invocation.objects.select_related("session__agent").get(pk=run.pk)
        Invocation.objects.filter(pk=run.pk).update(**cost_columns(stored))
        Agent.objects.filter(pk=run.session.agent_id).update(
            last_invoked_at=run.requested_at, invocation_count=F("invocation_count") + 1
        )
        Notice.objects.create(topic=run.session.topic, kind=f"finished:{run.pk}")


def _store_events(run: Invocation, events: list[RecordedEvent]) -> None:
    for at in range(0, len(events), Recording.PART_EVENTS):
        part = events[at : at + Recording.PART_EVENTS]
        RecordingBatch.objects.create(
            invocation=run, first_sequence=part[0]["seq"], last_sequence=part[-1]["seq"], events=part
        )
