"""What a token is made of, and what it allows.

256 random bits need no slow hash: nobody can guess them, so the digest alone is stored and looked up.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal

from apps.core.exceptions import LoomError

Scope = Literal["metrics", "read", "invoke", "manage"]

# Each includes those before it. `metrics` is for who collects the figures of processes, and reads nothing else.
SCOPES: tuple[Scope, ...] = ("metrics", "read", "invoke", "manage")
PREFIX = "loom_"
SHOWN_LENGTH = len(PREFIX) + 6
_SCHEME = "bearer"


class TokenRefusedError(LoomError):
    """The token is unknown, expired or revoked, or its user may not sign in."""

    code = "token_refused"
    http_status = HTTPStatus.UNAUTHORIZED


class ScopeError(LoomError):
    """The token is good, but not for this."""

    code = "scope_missing"
    http_status = HTTPStatus.FORBIDDEN


def new_secret() -> str:
    """A new token: `loom_` and 43 characters, which can be found in a text by that."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a token: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def bearer_secret(headers: Mapping[str, str]) -> str | None:
    """The token of an `Authorization: Bearer …` header (lower-case names), "" for an empty one, None without one."""
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == _SCHEME else None


def includes(granted: str, wanted: Scope) -> bool:
    """Whether a token of the scope `granted` may do what takes `wanted`."""
    return granted in SCOPES[SCOPES.index(wanted) :]
