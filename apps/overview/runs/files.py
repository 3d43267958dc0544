"""The runs that are asked for as the rows of a file, a page after the other, so that few are in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.metrics.selectors import measurement_of
from apps.overview.runs.asked import NEWEST, Asked
from apps.overview.runs.finding import find_runs
from apps.overview.runs.rows import Row, read_rows

KEYS_AT_ONCE = 10_000  # as many as are sorted, so that what has no index is sorted once
ROWS_AT_ONCE = 100  # each with its prompt
PROMPT_LENGTH = 4_000
HEADS = (
    "id", "session_public_id", "session_id", "session_title", "number", "agent_id", "agent_name", "origin", "qualifier",
    "version", "owner", "status", "source", "start_kind", "tags", "prompt", "error_code", "error", "started_at",
    "time_to_first_token_ms", "total_latency_ms", "model", "input_tokens", "output_tokens", "cost_usd", "cost_source",
)  # fmt: skip


def file_rows(user: User, asked: Asked) -> Iterator[Sequence[object]]:
    """All runs that `user` may see and that are asked for, in their order; where not all were sorted, a last row that
    says so.
    """
    place = None
    while True:
        page = find_runs(user, asked, place, limit=KEYS_AT_ONCE)
        for at in range(0, len(page.keys), ROWS_AT_ONCE):
            yield from (_values(row) for row in read_rows(page.keys[at : at + ROWS_AT_ONCE]))
        if page.next is None:
            break
        place = page.next
    if asked.sort != NEWEST and page.looked_back_to is not None:
        back_to = f"{page.looked_back_to:%Y-%m-%d %H:%M}"
        yield [_("Sorted among the newest, back to {back_to} UTC.").format(back_to=back_to)]


def _values(row: Row) -> Sequence[object]:
    run, session, measurement = row.run, row.run.session, measurement_of(row.run)
    return (
        run.pk, session.public_id, session.runtime_session_id, session.title, run.number, session.agent_id,
        session.agent.name, session.agent.origin, session.qualifier, run.version, session.owner.email, run.status,
        run.source or run.Source.MANUAL, measurement.start_kind if measurement else None, " · ".join(row.tags),
        run.prompt[:PROMPT_LENGTH], run.error_code, row.reason, run.requested_at, run.time_to_first_token_ms,
        run.total_latency_ms, run.model, run.input_token_count, run.output_token_count, run.cost_usd, run.cost_source,
    )  # fmt: skip
