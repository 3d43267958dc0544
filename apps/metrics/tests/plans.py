"""Plans for tests, told from their rows alone: runs end as an engine would end them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.metrics.models import Plan
from apps.metrics.series.running import advance_plan
from apps.sessions.engine.recording import Pending, finish_invocation


def end_next(plan: Plan, answer: str = "Go to Ghent.", status: str = "completed", **columns: Any) -> None:
    """End the first run of a plan that is out, and take the plan on."""
    run = plan.runs.filter(has_passed=None).order_by("place").first()
    assert run is not None
    now = timezone.now()
    told = {"invoked_at": now, "first_token_at": now + timedelta(milliseconds=200), "http_status": 200, **columns}
    fields = {**told, "response_text": answer}
    ended_at = now + timedelta(seconds=1)
    assert finish_invocation(None, Pending(run.invocation_id, [], fields), status=status, completed_at=ended_at)
    advance_plan(plan.pk)
