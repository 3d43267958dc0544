"""Who may call a route of the API: a signed-in user, or a program with a token whose scope reaches.

A route says `auth=may_read`, `may_invoke` or `may_manage`; asynchronous ones take the same with `_async`. The
middleware has found out who is asking; the policy says how far a scope goes.
"""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja.security.base import AuthBase

from apps.accounts.middleware import caller_of
from apps.accounts.models import User
from apps.accounts.policy import reaches
from apps.accounts.tokens import Scope, ScopeError


class Access(AuthBase):
    """Gives the user who may, else nobody; raises TokenRefusedError and ScopeError for what is wrong with a token."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    openapi_description = "A token of `manage.py create_token`. Browsers use the cookie of their sign-in."

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        super().__init__()

    def __call__(self, request: HttpRequest) -> User | None:
        caller = caller_of(request)
        if caller.refusal is not None:
            raise caller.refusal
        if caller.token is not None and not reaches(caller.subject, self.scope):
            raise ScopeError(
                f"This token may {caller.token.scope}; this takes a token that may {self.scope}.",
                advice=f"Make one with manage.py create_token --scope {self.scope}.",
            )
        return caller.user if isinstance(caller.user, User) else None


class AsyncAccess(Access):
    """The same for an asynchronous route."""

    async def __call__(self, request: HttpRequest) -> User | None:  # type: ignore[override]
        return await sync_to_async(super().__call__)(request)


# One name for all of them in the schema.
Access.__name__ = AsyncAccess.__name__ = "Token"

may_read, may_invoke, may_manage = Access("read"), Access("invoke"), Access("manage")
may_read_async, may_invoke_async = AsyncAccess("read"), AsyncAccess("invoke")
