"""Where a form leads after its work: to the page it was sent from."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def return_to(request: HttpRequest, otherwise: str) -> str:
    """The page that the form names as `next`, filters and all, if that is one of ours; else `otherwise`."""
    target = request.POST.get("next", "")
    # Of this host, and an address: Django's redirect takes a mere word for the name of a view.
    is_address = target.startswith(("/", f"{request.scheme}://"))
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if is_address and is_ours else otherwise
