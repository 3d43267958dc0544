"""Every read of saved views and ratings."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.accounts.policy import subject_of, visible
from apps.overview.models import Rating, SavedView


def saved_views_visible_to(user: User | AnonymousUser) -> QuerySet[SavedView]:
    """The views that `user` may see: their own."""
    return SavedView.objects.filter(visible(subject_of(user), SavedView))


def ratings_visible_to(user: User | AnonymousUser) -> QuerySet[Rating]:
    """The ratings that `user` may see: their own, and everybody's for staff."""
    return Rating.objects.filter(visible(subject_of(user), Rating))
