"""Every read of shared links that needs a rule."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.policy import decide, subject_of, visible
from apps.accounts.tokens import digest
from apps.takeout.models import SharedLink


def links_visible_to(user: User | AnonymousUser) -> QuerySet[SharedLink]:
    """The links to the sessions that `user` may see, whoever made them."""
    return SharedLink.objects.filter(visible(subject_of(user), SharedLink)).select_related("made_by", "session")


def opened_by(secret: str) -> SharedLink | None:
    """The link of this secret, where it is good: not revoked, not expired, and its maker may still read the session."""
    links = SharedLink.objects.select_related("session__agent__runtime", "session__owner", "made_by")
    link = links.filter(digest=digest(secret)).first()
    if link is None or not link.is_valid or not link.made_by.is_active:
        return None
    return link if decide(subject_of(link.made_by), "read", link.session) else None
