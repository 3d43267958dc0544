"""Make, try out and remove channels."""

from __future__ import annotations

import secrets

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import ConflictError, InvalidInputError
from apps.core.net_guard.checking import check_url, parse_url
from apps.metrics.alerts.services import checked_name
from apps.metrics.models import AlertChannel
from apps.vault.services import store_secret

Kind = AlertChannel.Kind
NAME_LENGTH = 60
MOST_RECIPIENTS = 10


class ChannelNameTakenError(ConflictError):
    """The owner has a channel of this name."""

    code = "channel_name_taken"


def make_channel(*, owner: User, name: str, kind: str, address: str) -> tuple[AlertChannel, str]:
    """Store a channel; return it, and for a signed webhook the key, which is not shown again (else "").

    The address is looked up, so this may take a moment. Raises UrlRefusedError, VaultClosedError and
    ChannelNameTakenError.
    """
    name = checked_name(name, NAME_LENGTH)
    key = ""
    secret = None
    now = timezone.now()
    if kind not in Kind.values:
        raise InvalidInputError(_("A channel is one of %(kinds)s.") % {"kinds": ", ".join(Kind.values)})
    if kind == Kind.EMAIL:
        address = _recipients(address)
    else:
        check_url(address.strip())
    try:
        with transaction.atomic():
            if kind == Kind.WEBHOOK:
                address, key = address.strip(), secrets.token_urlsafe(32)
                secret = store_secret(owner=owner, name=f"alerts/{name}", value=key)
            elif kind == Kind.SLACK:
                # All of the address is a credential: who has it can write there.
                secret = store_secret(owner=owner, name=f"alerts/{name}", value=address.strip())
                address = parse_url(address.strip()).host
            made = AlertChannel.objects.create(
                owner=owner, name=name, kind=kind, address=address, secret=secret, created_at=now
            )
    except (IntegrityError, ConflictError):
        raise ChannelNameTakenError(_("You have a channel called %(name)s already.") % {"name": name}) from None
    return made, key


def delete_channel(*, channel: AlertChannel) -> None:
    """Remove a channel with its secret; the rules that used it go on without."""
    with transaction.atomic():
        secret = channel.secret
        channel.delete()
        if secret is not None:
            secret.delete()


def _recipients(text: str) -> str:
    addresses = [part.strip() for part in text.split(",") if part.strip()]
    if not 0 < len(addresses) <= MOST_RECIPIENTS:
        raise InvalidInputError(_("There are 1 to %(most)d mail addresses, by commas.") % {"most": MOST_RECIPIENTS})
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            raise InvalidInputError(_("%(address)s is no mail address.") % {"address": address[:80]}) from None
    return ", ".join(addresses)
