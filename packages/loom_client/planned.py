"""Plans as a list shows them, and what one would cost."""

from __future__ import annotations

from dataclasses import dataclass

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class ListedPlan(_Answer):
    """Runs that were asked for together, without what they found; `done` of `run_count` are over."""

    id: int
    name: str
    source: str
    prompt_set_id: int | None
    owner: str
    state: str
    message: str
    run_count: int
    done: int
    created_at: str
    finished_at: str | None


@dataclass(frozen=True, slots=True)
class Estimate(_Answer):
    """What runs would cost at most; `is_too_much` where that is above what they are allowed to."""

    run_count: int
    estimate_usd: float
    is_too_much: bool
