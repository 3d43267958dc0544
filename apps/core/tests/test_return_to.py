from __future__ import annotations

import pytest
from django.test import RequestFactory

from apps.core.requests.return_to import return_to


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/agents/?q=a+b&page=2", "/agents/?q=a+b&page=2"),
        ("http://testserver/operate/", "http://testserver/operate/"),
        ("", "/otherwise/"),
        ("https://evil.example/", "/otherwise/"),
        ("//evil.example/", "/otherwise/"),
        ("/\\evil.example/", "/otherwise/"),
        ("javascript:alert(1)", "/otherwise/"),
        ("0", "/otherwise/"),
        ("agents", "/otherwise/"),
    ],
)
def test_a_form_leads_back_within_our_own_host_only(target: str, leads_to: str) -> None:
    assert return_to(RequestFactory().post("/", {"next": target}), "/otherwise/") == leads_to
    assert return_to(RequestFactory().post("/"), "/otherwise/") == "/otherwise/"


def test_a_page_over_https_does_not_lead_out_of_it() -> None:
    request = RequestFactory().post("/", {"next": "http://testserver/operate/"}, secure=True)

    assert return_to(request, "/otherwise/") == "/otherwise/"
