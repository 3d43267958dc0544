"""All runs over JSON."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.core.exceptions import InvalidInputError
from apps.core.tables.filters import TEXT_LENGTH
from apps.overview.runs import asked as asking
from apps.overview.runs.finding import PAGE_SIZE, find_runs
from apps.overview.runs.places import read_place
from apps.overview.runs.rows import Row, read_rows
from apps.sessions.models import Invocation

router = Router(tags=["runs"])

MOST = 200
PROMPT_CHARACTERS = 4_000
AGENTS_KEY_MOST = 2**63 - 1
PLACE = r"^[tkv][0-9a-z.+_-]{1,80}$"


class RunItem(Schema):
    """A run as a list shows it. `session_id` is the runtime session id. Of the prompt the first 4,000 characters."""

    id: int
    agent_id: int
    agent_name: str
    session_id: str
    session_public_id: UUID
    number: int
    status: str
    prompt: str
    started_at: datetime
    time_to_first_token_ms: float | None
    total_latency_ms: float | None
    cost_usd: float | None
    cost_source: str | None
    tags: list[str]


class RunsOut(Schema):
    """Some runs, the newest first. `next` is the `after` of those that follow, null at the end."""

    items: list[RunItem]
    next: str | None


@router.get("/runs", auth=may_read, response=RunsOut, summary="Find runs by what was said and how they ended")
def list_runs(
    request: HttpRequest,
    q: str = functions.Query(
        "",
        max_length=TEXT_LENGTH,
        description="Words that all occur in the prompt, the answer, the names of tools, the error or the session's "
        "title. A run is found two seconds after its end; words of fewer than three characters in the newest 2,000.",
    ),
    agent: int | None = functions.Query(None, ge=1, le=AGENTS_KEY_MOST, description="The id of an agent."),
    status: Literal["running", "completed", "failed", "stopped", "interrupted"] | None = functions.Query(
        None, description="`running` are all that are not over."
    ),
    limit: int = functions.Query(PAGE_SIZE, ge=1, le=MOST),
    after: str | None = functions.Query(None, max_length=100, pattern=PLACE, description="The `next` of an answer."),
) -> dict[str, Any]:
    """The runs of the sessions that you may see, without those of Measure start. A page looks at so many of the newest
    runs at most: it may hold fewer than `limit`, or none, and still have a `next`.
    """
    place = None if after is None else read_place(after)
    if after is not None and place is None:
        raise InvalidInputError("This is no place in the list.", advice="Send the `next` of an answer as `after`.")
    chosen = {"agent": "" if agent is None else str(agent), "status": status or ""}
    asked = asking.Asked(q.replace("\0", ""), asking.NEWEST, asking.nothing(**chosen).chosen)
    page = find_runs(request.user, asked, place, limit=limit)
    return {
        "items": [_item(row) for row in read_rows(page.keys)],
        "next": None if page.next is None else str(page.next),
    }


def _item(row: Row) -> dict[str, Any]:
    run: Invocation = row.run
    cost: Decimal | None = run.cost_usd
    return {
        "id": run.pk,
        "agent_id": run.session.agent_id,
        "agent_name": run.session.agent.name,
        "session_id": run.session.runtime_session_id,
        "session_public_id": run.session.public_id,
        "number": run.number,
        "status": run.status,
        "prompt": run.prompt[:PROMPT_CHARACTERS],
        "started_at": run.requested_at,
        "time_to_first_token_ms": run.time_to_first_token_ms,
        "total_latency_ms": run.total_latency_ms,
        "cost_usd": None if cost is None else float(cost),
        "cost_source": run.cost_source,
        "tags": list(row.tags),
    }
