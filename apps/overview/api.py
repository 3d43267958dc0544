"""All runs over JSON."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema
from ninja.params import functions

from apps.accounts.access import may_read
from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError
from apps.core.tables.filters import LONGEST_VALUE, TEXT_LENGTH
from apps.overview.runs import asked as asking
from apps.overview.runs.finding import PAGE_SIZE, find_runs, place_of
from apps.overview.runs.places import read_place
from apps.overview.runs.rows import Row, read_rows
from apps.sessions.models import Invocation

router = Router(tags=["runs"])

MOST = 200
PROMPT_CHARACTERS = 4_000
KEY_MOST = 2**63 - 1
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
    input_tokens: int | None = Field(description="Null where the agent reported none; never 0 for that.")
    output_tokens: int | None
    cost_usd: float | None
    cost_source: str | None
    tags: list[str]


class RunsOut(Schema):
    """Some runs, in the order that was asked for. `next` is the `after` of those that follow, null at the end."""

    items: list[RunItem]
    next: str | None


class RunQuery(Schema):
    """Which runs are wanted, in which order: what the page of all runs is asked, by the same names."""

    q: str = Field(
        "",
        max_length=TEXT_LENGTH,
        description="Words that all occur in the prompt, the answer, the names of tools, the error or the session's "
        "title. A run is found two seconds after its end; words of fewer than three characters in the newest 2,000.",
    )
    agent: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of an agent.")
    qualifier: str = Field("", max_length=LONGEST_VALUE, description="The name of an endpoint.")
    version: str = Field("", max_length=LONGEST_VALUE, description="The version that answered.")
    status: Literal["running", "completed", "failed", "stopped", "interrupted"] | None = Field(
        None, description="`running` are all that are not over."
    )
    rated: Literal["up", "down", "note"] | None = Field(None, description="How somebody rated it.")
    error: str = Field("", max_length=LONGEST_VALUE, description="The code of an error; `any` for each.")
    start: Literal["cold", "warm", "unknown"] | None = Field(None, description="Whether an environment was made.")
    source: Literal["manual", "api", "task", "demo", "prompt_set", "side_by_side", "bench"] | None = Field(
        None, description="What asked for it."
    )
    owner: int | None = Field(None, ge=1, le=KEY_MOST, description="The id of an account, for staff.")
    tag: str = Field("", max_length=LONGEST_VALUE, description="A tag of the run or of its session.")
    range: str = Field(
        "",
        max_length=LONGEST_VALUE,
        description="`15m`, `1h`, `24h`, `7d`, `30d`, or two instants in UTC: `2026-11-20T12:00/2026-11-20T13:00`.",
    )
    measure_start: Literal["shown", "only"] | None = Field(None, description="Runs of Measure start, hidden without.")
    sort: Literal[
        "-time", "ttft", "-ttft", "total", "-total", "tokens_in", "-tokens_in", "tokens_out", "-tokens_out", "cost",
        "-cost",
    ] = Field("-time", description="By a figure it is the newest 10,000 that are sorted.")  # fmt: skip

    def asked(self, user: User | AnonymousUser) -> asking.Asked:
        """The same as the page is asked for; of it, an owner is a filter of staff."""
        if self.range and asking.period_of(self.range, timezone.now()) == (None, None):
            raise InvalidInputError(
                "This is no range of time.", advice="Send 24h, 7d or two instants: 2026-11-20T12:00/2026-11-20T13:00."
            )
        given = {name: _plain(getattr(self, name)) for name in asking.NAMES}
        if not user.is_staff:
            given["owner"] = ""
        return asking.Asked(_plain(self.q), self.sort, given)


def _plain(value: object) -> str:
    """A value as an address has it. PostgreSQL takes no NUL."""
    return "" if value is None else str(value).replace("\0", "")


@router.get("/runs", auth=may_read, response=RunsOut, summary="Find runs by what was said and how they ended")
def list_runs(
    request: HttpRequest,
    query: Query[RunQuery],
    limit: int = functions.Query(PAGE_SIZE, ge=1, le=MOST),
    after: str | None = functions.Query(None, max_length=100, pattern=PLACE, description="The `next` of an answer."),
) -> dict[str, Any]:
    """The runs of the sessions that you may see, without those of Measure start unless you ask for them. A page looks
    at so many of the newest runs at most: it may hold fewer than `limit`, or none, and still have a `next`.
    """
    asked = query.asked(request.user)
    place = None if after is None else read_place(after)
    if after is not None and not isinstance(place, place_of(asked)):
        raise InvalidInputError(
            "This is no place in the list.", advice="Send the `next` of an answer as `after`, with the same filters."
        )
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
        "input_tokens": run.input_token_count,
        "output_tokens": run.output_token_count,
        "cost_usd": None if cost is None else float(cost),
        "cost_source": run.cost_source,
        "tags": list(row.tags),
    }
