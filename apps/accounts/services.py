"""Every change of tokens."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.accounts.models import Token, User
from apps.accounts.sign_in.ways import topic_of_token
from apps.accounts.tokens import SCOPES, SHOWN_LENGTH, Scope, TokenRefusedError, digest, new_secret
from apps.core.exceptions import InvalidInputError
from apps.core.notices.notices import notify
from apps.core.prepared import Select, slot

logger = logging.getLogger(__name__)

MAX_LIFE = timedelta(days=3650)
# How exact `last_used_at` is; a write for every request would cost more than the request.
USE_NOTED_EVERY = timedelta(minutes=5)
# A command that is killed leaves its token behind, which expires by itself.
_KEPT_AFTER_EXPIRY = timedelta(days=30)


def create_token(*, user: User, scope: str, life: timedelta, name: str = "") -> tuple[Token, str]:
    """Make a token of a user that expires after `life`; return it with its secret, which is stored nowhere.

    Raises InvalidInputError. Tokens of this user that expired a month ago are deleted.
    """
    if scope not in SCOPES:
        raise InvalidInputError(f"The scope is one of {', '.join(SCOPES)}.")
    if not timedelta(0) < life <= MAX_LIFE:
        raise InvalidInputError(f"A token lives for more than nothing and at most {MAX_LIFE.days} days.")
    now, secret = timezone.now(), new_secret()
    Token.objects.filter(user=user, expires_at__lt=now - _KEPT_AFTER_EXPIRY).delete()
    token = Token.objects.create(
        user=user, name=name[:80], scope=scope, digest=digest(secret), shown=secret[:SHOWN_LENGTH],
        created_at=now, expires_at=now + life,
    )  # fmt: skip
    logger.debug("token created id=%s user=%s scope=%s", token.pk, user.pk, scope)
    return token, secret


@contextmanager
def passing_token(*, user: User, scope: Scope, life: timedelta, name: str) -> Iterator[str]:
    """The secret of a token that exists for the time of the block."""
    token, secret = create_token(user=user, scope=scope, life=life, name=name)
    try:
        yield secret
    finally:
        token.delete()


def revoke_token(*, token: Token) -> None:
    """Refuse the token from now on, also to what stays open with it; a second time changes nothing."""
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            notify(topic_of_token(token.pk), "revoked")
    logger.info("token revoked id=%s", token.pk)


_token_of = Select(lambda: Token.objects.filter(digest=slot(Token, "digest")).select_related("user"))


def use_token(secret: str) -> Token:
    """The token with its user, noted as used; raises TokenRefusedError, which says why."""
    token = next(iter(_token_of(digest=digest(secret))), None)
    now = timezone.now()
    if token is None:
        raise TokenRefusedError("This token is not known.", advice="Make one with manage.py create_token.")
    if token.revoked_at is not None:
        raise TokenRefusedError("This token was revoked.", advice="Make another with manage.py create_token.")
    if token.expires_at <= now:
        raise TokenRefusedError("This token has expired.", advice="Make another with manage.py create_token.")
    if not token.user.is_active:
        raise TokenRefusedError("The user of this token may not sign in.")
    _note_use(token, now)
    return token


def _note_use(token: Token, now: datetime) -> None:
    if token.last_used_at is None or token.last_used_at <= now - USE_NOTED_EVERY:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
        Token.objects.filter(unnoted, pk=token.pk).update(last_used_at=now)
