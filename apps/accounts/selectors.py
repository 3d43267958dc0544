"""Every read of users and tokens that needs a rule."""

from __future__ import annotations

from django.conf import settings

from apps.accounts.models import User
from apps.accounts.sign_in.development import development_account
from apps.core.exceptions import InvalidInputError


def user_of_command(email: str | None) -> User:
    """The user as whom a command of this machine acts: the named one, the development user, or the only superuser.

    Raises InvalidInputError where none of these can be told.
    """
    if email:
        user = User.objects.filter(email__iexact=email, is_active=True).first()
        if user is None:
            raise InvalidInputError(f"There is no active user {email}.")
        return user
    if settings.AUTH_DISABLED and settings.DEBUG:
        return development_account()
    superusers = list(User.objects.filter(is_superuser=True, is_active=True)[:2])
    if len(superusers) != 1:
        count = "several superusers" if superusers else "no superuser"
        raise InvalidInputError(f"There is {count}, so say who you are with --user.")
    return superusers[0]
