"""Every change of shared links."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.accounts.tokens import digest
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.sessions.models import Session
from apps.takeout.models import SharedLink

logger = logging.getLogger(__name__)

DEFAULT_DAYS, MOST_DAYS = 7, 90
MOST_LINKS = 20  # of one session that are good at a time
SHOWN_LENGTH = 6
_KEPT_AFTER_END = timedelta(days=30)
_OPENING_NOTED_EVERY = timedelta(minutes=1)


def share_session(*, session: Session, user: User, days: int = DEFAULT_DAYS) -> tuple[SharedLink, str]:
    """Make a link to a session that is good for some days; return it with its secret, which is stored nowhere.

    Links of the session that ended a month ago are deleted. Raises InvalidInputError and ConflictError.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInputError(_("A link is good for 1 to %(most)s days.") % {"most": MOST_DAYS})
    now = timezone.now()
    past = now - _KEPT_AFTER_END
    secret = secrets.token_urlsafe(32)  # 256 random bits: nobody can guess it, so the digest alone is stored
    with transaction.atomic():
        # Locked, so that two at once do not count before either has made its link.
        Session.objects.select_for_update(no_key=True).filter(pk=session.pk).only("pk").order_by().first()
        SharedLink.objects.filter(Q(expires_at__lt=past) | Q(revoked_at__lt=past), session=session).delete()
        if SharedLink.objects.filter(session=session, revoked_at=None, expires_at__gt=now).count() >= MOST_LINKS:
            raise ConflictError(
                _("This session has %(most)s good links.") % {"most": MOST_LINKS}, advice=_("Revoke one first.")
            )
        link = SharedLink.objects.create(
            session=session, made_by=user, digest=digest(secret), shown=secret[:SHOWN_LENGTH], created_at=now,
            expires_at=now + timedelta(days=days),
        )  # fmt: skip
    logger.info("session shared link=%s session=%s user=%s days=%s", link.pk, session.pk, user.pk, days)
    return link, secret


def revoke_link(*, link: SharedLink, user: User | None = None) -> None:
    """Refuse the link from now on; a second time changes nothing."""
    now = timezone.now()
    if SharedLink.objects.filter(pk=link.pk, revoked_at=None).update(revoked_at=now):
        link.revoked_at = now
        logger.info("shared link revoked link=%s session=%s user=%s", link.pk, link.session_id, user and user.pk)


def note_opening(*, link: SharedLink) -> None:
    """Remember that somebody read it; not with every request, since a write costs more than the page."""
    now = timezone.now()
    unnoted = Q(last_opened_at=None) | Q(last_opened_at__lte=now - _OPENING_NOTED_EVERY)
    if link.last_opened_at is None or link.last_opened_at <= now - _OPENING_NOTED_EVERY:
        is_first = link.last_opened_at is None
        if SharedLink.objects.filter(unnoted, pk=link.pk).update(last_opened_at=now) and is_first:
            logger.info("shared link opened link=%s session=%s", link.pk, link.session_id)
