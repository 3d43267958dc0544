"""How often somebody may try to sign in: by the account that is tried, and by where the tries come from."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from apps.core.exceptions import LoomError
from apps.core.limits import Limit, give_back, take
from apps.core.requests.refusals import refuse

# People mistype; whoever guesses needs thousands. An address may be that of a whole office, or of the proxy.
OF_ACCOUNT = Limit("sign-in of account", count=10, per=timedelta(minutes=15))
OF_ADDRESS = Limit("sign-in from address", count=50, per=timedelta(minutes=15))

View = Callable[..., HttpResponseBase]
_WITH_PORT = re.compile(r"(?:(?P<v4>[0-9.]+)|\[(?P<v6>[0-9A-Fa-f:.]+)\]):[0-9]+")


class TooManyTriesError(LoomError):
    """Too many sign-ins failed, for this account or from this address."""

    code = "too_many_tries"
    http_status = HTTPStatus.TOO_MANY_REQUESTS
    is_retryable = True

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            _("Too many tries to sign in."),
            advice=_("Try again in %(minutes)d min, or ask an administrator.") % {"minutes": math.ceil(wait_s / 60)},
        )
        self.retry_after_s = wait_s


def client_address(request: HttpRequest) -> str:
    """Where a request comes from; of IPv6 the network, as one machine has as many addresses there as it likes."""
    address = str(request.META.get("REMOTE_ADDR") or "")
    if with_port := _WITH_PORT.fullmatch(address):
        address = with_port["v4"] or with_port["v6"]
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 6 and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip.ipv4_mapped if ip.version == 6 else ip)


def limited_sign_in(view: View) -> View:
    """A view that signs in, with limits. A try counts before it is made, so that many at once are many; a good one is
    given back. Which accounts exist cannot be told from it.
    """

    @wraps(view)
    def limited(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        tries = [
            (OF_ADDRESS, client_address(request)),
            (OF_ACCOUNT, request.POST.get("username", "").strip().casefold()[:254]),
        ]
        for limit, subject in tries:
            wait_s = take(limit, subject)
            if wait_s is not None:
                return refuse(request, TooManyTriesError(wait_s))
        response = view(request, *args, **kwargs)
        if response.status_code == HTTPStatus.FOUND:
            for limit, subject in tries:
                give_back(limit, subject)
        return response

    return limited
