from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import AsyncClient, Client
from django.urls import path

from apps.core.requests.middleware_modes import before_view, on_response


@before_view
def refusing(request: HttpRequest) -> HttpResponse | None:
    """What refuses."""
    return HttpResponse("no", status=403) if request.GET.get("refuse") else None


@on_response
def signing(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """What signs."""
    response["Signed"] = request.path
    return response


@login_not_required
def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


@login_not_required
async def answer_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


urlpatterns = [path("plain/", answer), path("async/", answer_async)]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [f"{__name__}.signing", f"{__name__}.refusing"]


def seen(response: Any) -> tuple[int, str, str]:
    return response.status_code, response.content.decode(), response["Signed"]


@pytest.mark.parametrize("address", ["/plain/", "/async/"])
async def test_one_function_serves_both_servers(client: Client, async_client: AsyncClient, address: str) -> None:
    for query, expected in (({}, (200, "yes", address)), ({"refuse": "1"}, (403, "no", address))):
        assert seen(await async_client.get(address, query)) == expected
        assert seen(await sync_to_async(client.get)(address, query)) == expected


def test_it_keeps_the_name_and_words_of_its_function() -> None:
    assert (refusing.__name__, refusing.__doc__, signing.__doc__) == ("refusing", "What refuses.", "What signs.")
