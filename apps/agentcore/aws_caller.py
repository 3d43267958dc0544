"""Whose account Loom's credentials belong to, against the account that an agent's ARN names."""

from __future__ import annotations

import logging

from django.core.cache import cache

from apps.agentcore.connection import current_connection
from apps.agents.models import Agent
from apps.aws.errors import AwsError
from apps.aws.identity import Identity, identity

logger = logging.getLogger(__name__)

KEPT_S = 300


def caller() -> Identity:
    """Who AWS says we are, remembered for five minutes. Blocks for a call; raises AwsError, which is not remembered."""
    connection = current_connection()
    key = f"agents.caller.{connection.origin}.{connection.profile}.{connection.endpoint_url}"
    known: Identity | None = cache.get(key)
    if known is None:
        known = identity(connection)
        cache.set(key, known, KEPT_S)
    return known


def foreign_account(agent: Agent) -> str | None:
    """Our account where the agent's is another, None where they are the same or AWS does not say.

    Such an agent was registered with other credentials. Loom must not guess: only a known difference is told.
    """
    try:
        own = caller().account_id
    except AwsError as error:
        logger.warning("account not compared agent=%s code=%s", agent.pk, error.code)
        return None
    return own if own != agent.account_id else None
