"""Runs as a list shows them, what people think of them, and lists that somebody saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class ListedRun(_Answer):
    """A run as a list shows it, its prompt cut after 4,000 characters; `session_id` is the runtime session id.

    Tokens are None where the agent reported none.
    """

    id: int
    agent_id: int
    agent_name: str
    session_id: str
    session_public_id: str
    number: int
    status: str
    prompt: str
    started_at: str
    time_to_first_token_ms: float | None = None
    total_latency_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Runs(_Answer):
    """Some runs, the newest first; `next` is the `after` of those that follow, None at the end."""

    items: tuple[ListedRun, ...]
    next: str | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        return super(Runs, cls).read({**body, "items": tuple(ListedRun.read(item) for item in body["items"])})


@dataclass(frozen=True, slots=True)
class DeletedRuns(_Answer):
    """The ids of runs that are gone, and of those that stayed since they, or what has sent them, are not over."""

    deleted: list[int]
    kept: list[int]


@dataclass(frozen=True, slots=True)
class RunRating(_Answer):
    """Your rating of a run: `thumb` is up, down or empty; `rated_at` None where you have rated nothing."""

    run_id: int
    thumb: str
    note: str
    rated_at: str | None


@dataclass(frozen=True, slots=True)
class SavedView(_Answer):
    """What is asked of the list of runs, under a name; `query` as in the address of its page, `url`."""

    id: int
    name: str
    query: str
    url: str
    created_at: str
