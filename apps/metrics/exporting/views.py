from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.middleware import caller_of
from apps.accounts.policy import reaches
from apps.accounts.sign_in.development import is_local_request
from apps.core.exceptions import LoomError
from apps.core.requests.refusals import refuse
from apps.metrics.exporting.exposition import CONTENT_TYPE, exposition


class MetricsRefusedError(LoomError):
    """Somebody who may not know how busy Loom is asks for it."""

    code = "unauthorized"
    http_status = HTTPStatus.UNAUTHORIZED


@login_not_required
@require_safe
@never_cache
def prometheus(request: HttpRequest) -> HttpResponse:
    """The metrics of all processes, for Prometheus: to a token of any scope, and to staff.

    In development whoever sits at this machine needs none. Counts of everybody's runs are in it, and nothing of what
    was said, of agents or of people.
    """
    error = _refusal(request)
    if error is not None:
        response = refuse(request, error)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            response["WWW-Authenticate"] = "Bearer"
        return response
    return HttpResponse(exposition(), content_type=CONTENT_TYPE)


def _refusal(request: HttpRequest) -> LoomError | None:
    if settings.DEBUG and _is_local(request) and "Authorization" not in request.headers:
        return None
    caller = caller_of(request)
    if caller.refusal is not None:
        return caller.refusal
    if caller.token is not None and reaches(caller.subject, "metrics"):
        return None
    if caller.token is None and caller.user.is_authenticated and caller.user.is_staff:
        return None
    return MetricsRefusedError(
        _("The metrics are for who has a token."),
        advice=_("Make one with manage.py create_token --scope metrics, and send it as Authorization: Bearer TOKEN."),
    )


def _is_local(request: HttpRequest) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return is_local_request(
        client=request.META.get("REMOTE_ADDR"), server=request.META.get("SERVER_NAME"), headers=headers
    )
