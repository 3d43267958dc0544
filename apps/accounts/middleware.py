"""Who is asking: a token's user, the signed-in one, or the development user where that is allowed; also for sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.middleware import AuthenticationMiddleware, LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from apps.accounts.models import Token, User
from apps.accounts.policy import Subject, reaches, subject_of
from apps.accounts.services import use_token
from apps.accounts.sign_in.development import development_account, development_user, needs_no_password
from apps.accounts.sign_in.ways import SignIn, web_session_user
from apps.accounts.tokens import Scope, TokenRefusedError, bearer_secret
from apps.core.requests.middleware_modes import before_view
from apps.core.requests.on_loop import OnLoop
from apps.core.requests.refusals import API_PREFIX

METRICS_PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking; with a token, as far as it goes. `refusal` says what is wrong with one."""

    user: User | AnonymousUser
    token: Token | None = None
    refusal: TokenRefusedError | None = None

    @property
    def subject(self) -> Subject:
        """The caller, as the policy knows it."""
        return subject_of(self.user, cast(Scope, self.token.scope) if self.token else None)


def caller_of(request: HttpRequest) -> Caller:
    """Who is asking, found out once. May ask the database."""
    return request.caller()  # type: ignore[attr-defined, no-any-return]


def sign_in_of(caller: Caller, scope: Scope, session_key: str | None = None) -> SignIn:
    """What let a caller in who may do what takes `scope`."""
    user_id = caller.user.pk
    assert user_id is not None, "nobody is signed in"
    if caller.token is not None:
        return SignIn(user_id, token_id=caller.token.pk, scope=scope, expires_at=caller.token.expires_at)
    return SignIn(user_id, session_key=session_key)


def sign_in_of_request(request: HttpRequest, scope: Scope) -> SignIn:
    """The same for a request that outlives its check: an answer that is streamed. May ask the database."""
    is_by_session = SESSION_KEY in request.session
    return sign_in_of(caller_of(request), scope, request.session.session_key if is_by_session else None)


def _resolve(request: HttpRequest, signed_in: User | AnonymousUser) -> Caller:
    headers = {name.lower(): value for name, value in request.headers.items()}
    takes_tokens = request.path.startswith(API_PREFIX) or request.path == METRICS_PATH
    secret = bearer_secret(headers) if takes_tokens else None
    if secret is not None:
        # Whoever sends a token is nobody else: neither the cookie's user nor the one of the development sign-in.
        return _caller_with(secret)
    if signed_in.is_authenticated:
        return Caller(signed_in)
    user = development_user(
        client=request.META.get("REMOTE_ADDR"), server=request.META.get("SERVER_NAME"), headers=headers
    )
    return Caller(user or signed_in)


def _caller_with(secret: str) -> Caller:
    try:
        token = use_token(secret)
    except TokenRefusedError as refusal:
        return Caller(AnonymousUser(), refusal=refusal)
    return Caller(token.user, token)


class Authentication(OnLoop, AuthenticationMiddleware):
    """The user is looked for by whoever asks for one."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(partial(web_session_user, request))  # type: ignore[assignment]


@before_view
def development_sign_in_middleware(request: HttpRequest) -> None:
    """Take a token of the API; sign a request of this machine in as dev@local when AUTH_DISABLED is set."""
    # Lazy: a request that never asks who is asking costs no query.
    resolve = cache(partial(_resolve, request, request.user))
    request.caller = resolve  # type: ignore[attr-defined]
    request.user = SimpleLazyObject(lambda: resolve().user)  # type: ignore[assignment]

    async def auser() -> User | AnonymousUser:
        return (await sync_to_async(resolve)()).user

    request.auser = auser


class SignedInMiddleware(OnLoop, LoginRequiredMiddleware):
    """Leads to the sign-in whoever asks for a page signed out; a view for everybody is marked `login_not_required`."""

    def view_may_wait(self, request: HttpRequest, view: Callable[..., Any]) -> bool:
        return bool(getattr(view, "login_required", True))

    def process_view(
        self, request: HttpRequest, view_func: Callable[..., Any], view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        # Django's own finds out first who is asking, which asks the database: `/healthz` has to answer without one.
        if not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Callable[..., Any]) -> HttpResponseRedirect:
        # The administration has a sign-in of its own, which only some of its pages name to Django.
        if request.resolver_match is not None and request.resolver_match.app_name == "admin":
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        return super().handle_no_permission(request, view_func)


class SocketSignIn:
    """ASGI middleware inside channels' AuthMiddlewareStack: the same rules for a socket's `scope["user"]`.

    Prompts are sent over sockets, so a token must be one that may invoke. `scope["sign_in"]` tells a socket, which
    stays, whether its user is still signed in.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        secret = bearer_secret(headers)
        if secret is not None:
            caller = await database_sync_to_async(_caller_with)(secret)
            is_let_in = caller.token is not None and reaches(caller.subject, "invoke")
            scope = {**scope, "user": caller.user if is_let_in else AnonymousUser()}
            scope["sign_in"] = sign_in_of(caller, "invoke") if is_let_in else None
        elif scope["user"].is_authenticated:
            scope = {**scope, "sign_in": SignIn(scope["user"].pk, session_key=scope["session"].session_key)}
        else:
            client, server = scope.get("client"), scope.get("server")
            if needs_no_password(
                client=client[0] if client else None, server=server[0] if server else None, headers=headers
            ):
                user = await database_sync_to_async(development_account)()
                scope = {**scope, "user": user, "sign_in": SignIn(user.pk)}
        await self.inner(scope, receive, send)
