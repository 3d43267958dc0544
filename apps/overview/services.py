"""Every change of saved views and ratings, and of what a newcomer is shown."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.core.exceptions import InvalidInputError
from apps.overview.models import FirstSteps, Rating, SavedView
from apps.sessions.invoking import check_storable
from apps.sessions.models import Invocation

VIEWS_AT_MOST = 50


def save_view(*, owner: User, name: str, query: str) -> SavedView:
    """Keep what is asked for under a name; one of this name is replaced. Raises InvalidInputError."""
    name = " ".join(name.split())
    if not name:
        raise InvalidInputError(_("The view has no name."), advice=_("Give it a name that you will know it by."))
    if len(name) > SavedView.NAME_LENGTH or len(query) > SavedView.QUERY_LENGTH:
        raise InvalidInputError(_("The view’s name or what it asks for is too long."))
    with transaction.atomic():
        others = SavedView.objects.select_for_update().filter(owner=owner).exclude(name=name)
        if len(others) >= VIEWS_AT_MOST:
            raise InvalidInputError(
                _("There are {count} saved views already.").format(count=VIEWS_AT_MOST),
                advice=_("Remove one that you do not need."),
            )
        view, _is_new = SavedView.objects.update_or_create(
            owner=owner,
            name=name,
            defaults={"query": query},
            create_defaults={"query": query, "created_at": timezone.now()},
        )
    return view


def remove_view(*, view: SavedView) -> None:
    """Forget a view; no run is touched."""
    view.delete()


def rate_run(*, owner: User, run: Invocation, thumb: str, note: str) -> Rating | None:
    """Keep what somebody thinks of a run's answer in place of what they thought before; nothing at all where neither a
    thumb nor a note is left. Raises InvalidInputError.
    """
    note = note.strip()
    check_storable(note)
    if len(note) > Rating.NOTE_LENGTH:
        raise InvalidInputError(
            _("A note has at most {most} characters; this one has {count}.").format(
                most=f"{Rating.NOTE_LENGTH:,}", count=f"{len(note):,}"
            )
        )
    if thumb not in {"", *Rating.Thumb}:
        raise InvalidInputError(_("A rating is up or down."))
    if not thumb and not note:
        Rating.objects.filter(owner=owner, invocation=run).delete()
        return None
    fields = {"thumb": thumb, "note": note, "rated_at": timezone.now()}
    return Rating.objects.update_or_create(owner=owner, invocation=run, defaults=fields)[0]


def close_first_steps(*, user: User) -> None:
    """Show them to the user no more; a second time changes nothing."""
    FirstSteps.objects.get_or_create(user=user, defaults={"closed_at": timezone.now()})
