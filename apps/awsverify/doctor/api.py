"""Why no lines are found, over JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from apps.accounts.access import may_read
from apps.agentcore.selectors import with_runtime
from apps.agents.api import agents_with_endpoints
from apps.agents.forms import QUALIFIER_SCHEMA
from apps.aws.arn import is_valid_qualifier
from apps.awsverify.doctor.diagnosis import diagnose
from apps.awsverify.doctor.looking import Asked
from apps.awsverify.doctor.text import as_json
from apps.core.exceptions import InvalidInputError, found
from apps.sessions.api import find_session

router = Router(tags=["agents"])


class LogCheckQuery(Schema):
    qualifier: str = Field("DEFAULT", description="The endpoint's name.", json_schema_extra=QUALIFIER_SCHEMA)
    session_id: str = Field("", max_length=256, description="Of one session, whose endpoint then counts.")
    invocation: int | None = Field(None, ge=1, le=10**9, description="Of one run of that session, by its number.")


class LogCheckOut(Schema):
    """A possible cause. `statement` mends a refusal: in the policy of Loom's role, or of the agent's (`grantee`)."""

    key: str
    name: str
    state: Literal["ok", "failed", "unknown"]
    reason: str
    advice: str
    grantee: Literal["", "loom", "agent"]
    statement: dict[str, Any] | None


class LogReportOut(Schema):
    """Each possible cause of missing lines, in the order in which they depend on each other."""

    origin: Literal["emulator", "aws"]
    region: str
    log_group: str
    qualifier: str
    session_id: str
    invocation: int | None
    start_at: datetime
    end_at: datetime
    is_ok: bool
    checks: list[LogCheckOut]


@router.get(
    "/agents/{int:agent_id}/logs/check",
    auth=may_read,
    response=LogReportOut,
    summary="Find out why no log lines are found",
)
def check_agent_logs(request: HttpRequest, agent_id: int, query: Query[LogCheckQuery]) -> dict[str, Any]:
    """Of an endpoint in the last day, of a session, or of one run. Reads only; what AWS refuses is an answer here."""
    agent = found(with_runtime(agents_with_endpoints(request)).filter(pk=agent_id).first(), "agent", agent_id)
    if not query.session_id:
        if not is_valid_qualifier(query.qualifier):
            raise InvalidInputError("This cannot be the name of an endpoint.", advice="Leave it out for DEFAULT.")
        return as_json(diagnose(Asked(agent, query.qualifier)))
    session = find_session(request.user, agent_id, query.session_id)
    number, run = query.invocation, None
    if number is not None:
        run = found(session.invocations.filter(number=number).first(), "run", number, within="in this session")
    return as_json(diagnose(Asked(session.agent, session.qualifier, session, run)))
