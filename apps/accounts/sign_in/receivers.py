"""Whoever stays signed in hears that it is over: Django's own code signs out, and changes and deletes users.

They close at once where they hear it, and ask again before each prompt and once a minute: see `sign_in`.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.http import HttpRequest

from apps.accounts.models import Token, User
from apps.accounts.sign_in.ways import SIGNED_OUT, topic_of_token, topic_of_user, topic_of_web_session
from apps.core.notices.notices import notify


@receiver(user_logged_out, dispatch_uid="accounts.announce_sign_out")
def announce_sign_out(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    """Django deletes the web session right after this, so it is not to be asked about."""
    if request.session.session_key:
        notify(topic_of_web_session(request.session.session_key), SIGNED_OUT)


@receiver(post_save, sender=User, dispatch_uid="accounts.announce_changed_user")
def announce_changed_user(
    sender: Any, instance: User, created: bool, update_fields: frozenset[str] | None, **kwargs: Any
) -> None:
    """A user may have been deactivated, or have another password; a sign-in alone changes neither."""
    if not created and update_fields != frozenset({"last_login"}):
        notify(topic_of_user(instance.pk), "changed")


@receiver(post_delete, sender=User, dispatch_uid="accounts.announce_deleted_user")
def announce_deleted_user(sender: Any, instance: User, **kwargs: Any) -> None:
    notify(topic_of_user(instance.pk), "deleted")


@receiver(post_delete, sender=Token, dispatch_uid="accounts.announce_deleted_token")
def announce_deleted_token(sender: Any, instance: Token, **kwargs: Any) -> None:
    notify(topic_of_token(instance.pk), "deleted")
