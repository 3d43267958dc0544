"""The request as views know it after sign-in and the htmx middleware."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from apps.accounts.models import User


class SignedInRequest(HttpRequest):
    """A request of a view that is not for everybody: SignedInMiddleware lets nobody else in."""

    user: User
    htmx: HtmxDetails
