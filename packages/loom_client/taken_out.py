"""What Loom answers about what is taken out of it and shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loom_client.models import _Answer


@dataclass(frozen=True, slots=True)
class SharedLink(_Answer):
    """A link to read a session without signing in; `url` only where it was just made. Instants are ISO 8601."""

    id: int
    begins_with: str
    made_by: str
    created_at: str
    expires_at: str
    revoked_at: str | None = None
    last_opened_at: str | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verdict(_Answer):
    """What the evidence of a run is worth. `figures` and `run` are None where it was altered."""

    is_intact: bool
    is_signed_here: bool
    figures: dict[str, Any] | None = None
    are_figures_same: bool | None = None
    run: dict[str, Any] | None = None
    made_at: str = ""
    problems: list[str] = field(default_factory=list)
