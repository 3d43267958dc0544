"""Django's middleware answers as ever, from the loop as from a thread, and has a thread only for what may wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from csp.constants import NONCE
from csp.decorators import csp_exempt, csp_update
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.test import AsyncClient, Client
from django.urls import include, path
from django.utils.deprecation import MiddlewareMixin

from apps.accounts.models import User
from apps.core.requests import on_loop

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]


@login_not_required
async def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


@login_not_required
async def remember(request: HttpRequest) -> HttpResponse:
    def note() -> list[str]:
        request.session["seen"] = [*request.session.get("seen", []), request.GET["word"]]
        return list(request.session["seen"])

    return HttpResponse(" ".join(await sync_to_async(note)()))


@login_not_required
async def tell(request: HttpRequest) -> HttpResponse:
    await sync_to_async(messages.info)(request, "told")
    return HttpResponse("yes")


@login_not_required
async def form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


@login_not_required
@csp_update({"img-src": ["https://example.com"]})
def pictures(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


@login_not_required
@csp_exempt()
def exempt(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


@login_not_required
async def nonce(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]


async def closed(request: HttpRequest) -> HttpResponse:
    return HttpResponse("yes")


urlpatterns = [
    path("plain/", plain),
    path("remember/", remember),
    path("tell/", tell),
    path("form/", form),
    path("closed/", closed),
    path("pictures/", pictures),
    path("exempt/", exempt),
    path("nonce/", nonce),
    path("accounts/", include("apps.accounts.urls")),
]

Seen = tuple[int, str, dict[str, str], list[str]]


def seen(response: Any) -> Seen:
    content = response.content.decode()
    return response.status_code, content[:20], dict(response.headers), sorted(response.cookies)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which hooks of middleware were given a thread."""
    found: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(self.func, "__self__", None)
        if isinstance(owner, MiddlewareMixin):
            found.append(f"{type(owner).__name__}.{self.func.__name__}")
        return await call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return found


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda client: client.get("/plain/"), []),
        (lambda client: client.get("/nowhere"), []),
        (lambda client: client.get("/plain"), []),  # led to the address with a slash
        (lambda client: client.get("/remember/", {"word": "a"}), ["WebSession.process_response"]),
        (lambda client: client.get("/tell/"), ["Messages.process_response"]),
        (lambda client: client.post("/form/", {"word": "a"}), ["Csrf.process_view"]),
        (lambda client: client.get("/closed/"), ["SignedInMiddleware.process_view"]),
    ],
    ids=["plain", "nowhere", "slash", "web session", "message", "form", "closed"],
)
async def test_it_changes_threads_only_for_what_may_wait_and_answers_the_same(
    ask: Callable[[Any], Any], expected: list[str], threads: list[str]
) -> None:
    from_loop = seen(await ask(AsyncClient(enforce_csrf_checks=True)))
    changes = list(threads)
    from_thread = seen(await sync_to_async(ask)(Client(enforce_csrf_checks=True)))

    assert changes == expected
    assert from_loop[:2] == from_thread[:2]
    assert from_loop[3] == from_thread[3]
    assert from_loop[2] == from_thread[2]


async def test_a_web_session_that_changed_is_there_for_the_next_request(async_client: AsyncClient) -> None:
    for word, expected in (("a", "a"), ("b", "a b")):
        assert (await async_client.get("/remember/", {"word": word})).content.decode() == expected


async def test_a_form_needs_its_token_and_a_closed_page_a_user(alice: User) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    token = (await client.get("/form/")).content.decode()
    without = await client.post("/form/", {"word": "a"})
    with_it = await client.post("/form/", {"word": "a", "csrfmiddlewaretoken": token})
    signed_out = await client.get("/closed/")
    await client.aforce_login(alice)

    assert (without.status_code, with_it.status_code) == (403, 200)
    assert (signed_out.status_code, (await client.get("/closed/")).content) == (302, b"yes")


async def test_a_view_has_the_policy_that_it_asks_for_and_the_next_one_the_usual(
    async_client: AsyncClient, settings: Any
) -> None:
    policies: dict[str, str] = {}
    for name in ("plain", "pictures", "exempt", "nonce", "remember", "plain"):
        response = await async_client.get(f"/{name}/", {"word": "a"})
        policy = response.headers.get("Content-Security-Policy", "")
        assert policies.setdefault(name, policy) == policy
    assert policies["plain"] == policies["remember"]
    assert "example.com" not in policies["plain"] and "default-src 'none'" in policies["plain"]
    assert "https://example.com" in policies["pictures"]
    assert policies["exempt"] == ""
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {"default-src": ["'self'", NONCE]}}
    asked = await async_client.get("/nonce/")
    assert asked.headers["Content-Security-Policy"] == f"default-src 'self' 'nonce-{asked.content.decode()}'"
    assert (await async_client.get("/plain/")).headers["Content-Security-Policy"] == "default-src 'self'"


def test_every_class_of_middleware_stands_on_the_loop(settings: Any) -> None:
    """Or a page more pays for a change of threads that nobody has thought of."""
    from django.utils.module_loading import import_string  # noqa: PLC0415 -- beside its one use

    found = [import_string(name) for name in settings.MIDDLEWARE]
    classes = [kind for kind in found if isinstance(kind, type) and issubclass(kind, MiddlewareMixin)]

    assert len(classes) >= 9
    assert [kind.__name__ for kind in classes if not issubclass(kind, on_loop.OnLoop)] == []
