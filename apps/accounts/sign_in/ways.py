"""How somebody got in who stays: with a token, a web session or the development sign-in, and whether that still holds.

A request is over before anything changes. A socket and a stream of events live on, and end with what let them in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from apps.accounts.models import Token, User
from apps.accounts.policy import reaches, subject_of
from apps.accounts.sign_in.web_sessions import SessionStore, live_session
from apps.accounts.tokens import Scope
from apps.core.prepared import Select, slot

# A notice may be lost, and nobody gives one when a token or a web session expires.
LOOK_AGAIN_S = 60.0
SIGNED_OUT = "signed_out"


def topic_of_user(user_id: int) -> str:
    return f"user.{user_id}"


def topic_of_token(token_id: int) -> str:
    return f"token.{token_id}"


def topic_of_web_session(key: str) -> str:
    """By a digest: whoever reads notices must not be able to sign in with one."""
    return f"web-session.{hashlib.blake2b(key.encode(), digest_size=20).hexdigest()}"


# Asked before every prompt.
_user = Select(lambda: User.objects.filter(pk=slot(User, "pk")).values_list())
_active_user = Select(lambda: User.objects.filter(pk=slot(User, "pk"), is_active=True))
_token = Select(lambda: Token.objects.filter(pk=slot(Token, "pk")).select_related("user"))


_BACKEND = "django.contrib.auth.backends.ModelBackend"


def web_session_user(request: HttpRequest) -> User | AnonymousUser:
    """Whom the web session of a request signs in. Asks the database.

    As Django's own `get_user` does, by a statement that is built once, in the case that is the rule; every other one
    (another backend, a key of the former secret, nobody) is Django's to judge.
    """
    session = request.session
    try:
        key = User._meta.pk.to_python(session[SESSION_KEY])
        is_plain = session[BACKEND_SESSION_KEY] == _BACKEND
    except KeyError:
        return AnonymousUser()
    user = next(iter(_active_user(pk=key)), None) if is_plain else None
    digest = session.get(HASH_SESSION_KEY)
    if user is not None and digest and constant_time_compare(digest, user.get_session_auth_hash()):
        return user
    judged = get_user(request)
    return judged if isinstance(judged, User) else AnonymousUser()


@dataclass(frozen=True, slots=True)
class SignIn:
    """What let a user in: a token that reaches `scope`, a web session, or neither in the development sign-in."""

    user_id: int
    token_id: int | None = None
    scope: Scope = "read"
    expires_at: datetime | None = None
    session_key: str | None = field(default=None, repr=False)
    _judged: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def topics(self) -> tuple[str, ...]:
        """What is announced when it may have ended; of these, the kind SIGNED_OUT says that it has."""
        found = [topic_of_user(self.user_id)]
        if self.token_id is not None:
            found.append(topic_of_token(self.token_id))
        if self.session_key is not None:
            found.append(topic_of_web_session(self.session_key))
        return tuple(found)

    @property
    def look_again_s(self) -> float:
        """After how many seconds to ask again at the latest."""
        if self.expires_at is None:
            return LOOK_AGAIN_S
        return min(LOOK_AGAIN_S, max(0.1, (self.expires_at - timezone.now()).total_seconds()))

    def current_user(self) -> User | None:
        """The user as he is now, None when what let him in has ended. Asks the database."""
        if self.token_id is not None:
            return self._user_of_token(self.token_id)
        if self.session_key is not None:
            return self._user_of_web_session()
        return next(iter(_active_user(pk=self.user_id)), None)

    def _user_of_token(self, token_id: int) -> User | None:
        token = next(iter(_token(pk=token_id)), None)
        if token is None or not token.is_valid or not token.user.is_active:
            return None
        granted: Any = token.scope
        return token.user if reaches(subject_of(token.user, granted), self.scope) else None

    def _user_of_web_session(self) -> User | None:
        rows = self._rows()
        known: User | None = self._judged.get("user")
        if known is not None and rows == self._judged["rows"]:
            return known  # nothing has changed that he was judged by
        # As Django finds the user of a request: the web session is there, and the password is what it was.
        request = HttpRequest()
        request.session = SessionStore(self.session_key)
        user = web_session_user(request)
        if not isinstance(user, User) or user.pk != self.user_id:
            return None
        if all(rows) and rows == self._rows():
            self._judged.update(rows=rows, user=user)
        return user

    def _rows(self) -> tuple[str, list[Any]]:
        """All that it depends on: the web session, while it has not expired, and the user."""
        session = live_session(self.session_key)
        return "" if session is None else session.session_data, _user(pk=self.user_id)
