from __future__ import annotations

import logging
from typing import Any

import pytest
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from hypothesis import given
from hypothesis import strategies as st

from apps.core.requests.middleware import is_own_origin

HOST = "testserver"
FRONT_END = "http://localhost:5173"


@login_not_required
def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


@login_not_required
async def answer_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("done")


urlpatterns = [
    path("things/", answer),
    path("async-things/", answer_async),
    path("api/things", answer),
    path("api/async-things", answer_async),
]
pytestmark = pytest.mark.urls(__name__)

FOREIGN = [
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "https://evil.example"},
    {"Origin": f"http://{HOST}.evil.example"},
    {"Origin": f"http://{HOST}:8001"},
    {"Origin": f"ftp://{HOST}"},
    {"Origin": HOST},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "cross-site"},
]
OWN = [
    {},
    {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"},
    {"Origin": f"https://{HOST}"},
    {"Sec-Fetch-Site": "none"},
]
REFUSED = "This request comes from a page of another site and was refused."


def foreign_error() -> dict[str, object]:
    return {"error": "foreign_request", "message": REFUSED, "details": {}}


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_change_that_a_foreign_page_asks_for_is_refused(client: Client, method: str, headers: dict[str, str]) -> None:
    page = getattr(client, method)("/things/", headers=headers)
    api = getattr(client, method)("/api/things", content_type="application/json", headers=headers)

    assert (page.status_code, page["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert page.content.decode().startswith(REFUSED)
    assert (api.status_code, {**api.json(), "details": {}}) == (403, foreign_error())


def test_a_browser_gets_a_page_that_says_so(client: Client) -> None:
    page = client.post("/things/", headers={"Origin": "https://evil.example", "Accept": "text/html,*/*;q=0.8"})

    assert (page.status_code, page["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert f"<h1>{REFUSED}</h1>" in page.content.decode() and "proxy" not in page.content.decode()


@pytest.mark.parametrize(
    ("origin", "host", "said"),
    [
        (f"https://{HOST}:8443", HOST, "pass on the Host header as it comes, with its port"),
        (f"https://{HOST}", f"{HOST}:8000", "pass on the Host header as it comes, with its port"),
        (f"http://{HOST.upper()}:81", HOST, "pass on the Host header as it comes, with its port"),
        ("https://evil.example", HOST, ""),
        ("null", HOST, ""),
        ("https://", HOST, ""),
    ],
)
def test_where_a_proxy_is_the_cause_it_says_what_to_mend(client: Client, origin: str, host: str, said: str) -> None:
    headers = {"Origin": origin, "Host": host}
    api = client.post("/api/things", "{}", content_type="application/json", headers=headers)

    assert api.status_code == 403
    assert said in api.json()["details"].get("advice", "") and bool(said) == ("advice" in api.json()["details"])


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        (f"https://{HOST}", "the proxy has to send X-Forwarded-Proto"),
        (f"http://{HOST}", "The form was too old"),
    ],
)
def test_the_page_of_a_form_that_django_refuses_tells_a_proxy_from_an_old_form(origin: str, said: str) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.post("/things/", {"name": "form"}, headers={"Origin": origin, "Accept": "text/html"})

    assert (page.status_code, said in page.content.decode()) == (403, True)


@pytest.mark.parametrize("address", ["/things/", "/api/things"])
def test_a_body_that_says_to_be_too_large_is_413(client: Client, settings: Any, address: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
    just, above = ("x" * length for length in (1_000_000, 1_000_001))

    assert client.post(address, just, content_type="application/json").status_code == 200
    answer = client.post(address, above, content_type="application/json")
    assert answer.status_code == 413
    assert "What was sent is larger than 1 MB" in answer.content.decode()


@pytest.mark.parametrize("headers", OWN)
def test_a_change_that_our_pages_or_a_program_ask_for_passes(client: Client, headers: dict[str, str]) -> None:
    assert client.post("/things/", {"name": "form"}, headers=headers).content == b"done"
    assert client.post("/api/things", "{}", content_type="application/json", headers=headers).content == b"done"


@pytest.mark.parametrize("headers", FOREIGN)
def test_reading_passes_wherever_it_is_asked_from(client: Client, headers: dict[str, str]) -> None:
    for method in ("get", "head", "options"):
        assert getattr(client, method)("/things/", headers=headers).status_code == 200
        assert getattr(client, method)("/api/things", headers=headers).status_code == 200


async def test_async_views_are_guarded_as_well(async_client: AsyncClient) -> None:
    evil = {"origin": "https://evil.example"}
    page = await async_client.post("/async-things/", headers=evil)
    api = await async_client.post("/api/async-things", headers=evil)
    own = await async_client.post("/async-things/", headers={"origin": f"http://{HOST}"})

    assert (page.status_code, page.content.decode()) == (403, REFUSED)
    assert (api.status_code, api.json()) == (403, foreign_error())
    assert own.content == b"done"


def test_a_refusal_is_logged_without_what_was_sent(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="apps.core.requests.middleware"):
        client.post("/api/things?secret=1", '{"prompt": "secret"}', content_type="text/plain")

    messages = [record.getMessage() for record in caplog.records if record.name == "apps.core.requests.middleware"]
    assert messages == ["request refused code=unsupported_media_type method=POST path=/api/things"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json-patch+json", 415),
        ("text/plain; application/json", 415),
        ("", 415),
    ],
)
def test_the_api_reads_json_only(client: Client, content_type: str, status: int) -> None:
    """A form of another site can post these types without asking, and without Origin in old browsers."""
    response = client.post("/api/things", "{}", content_type=content_type)

    assert response.status_code == status
    if status == 415:
        assert response.json() == {
            "error": "unsupported_media_type",
            "message": "The API reads JSON only.",
            "details": {"advice": "Send the header Content-Type: application/json."},
        }


def test_a_body_of_unknown_length_has_to_be_json_too(client: Client) -> None:
    def send(content_type: str) -> int:
        # No Content-Length stands beside it.
        headers = {"Transfer-Encoding": "chunked"}
        return client.generic("POST", "/api/things", CONTENT_TYPE=content_type, headers=headers).status_code

    assert (send("text/plain"), send("application/json")) == (415, 200)


def test_an_api_request_without_a_body_needs_no_type(client: Client) -> None:
    assert client.delete("/api/things", content_type="").status_code == 200
    assert client.generic("POST", "/api/things", b"", content_type="").status_code == 200


@pytest.mark.parametrize("is_debug", [False, True])
@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "localhost,evil.example", "10.0.0.5", ""])
def test_an_unknown_host_is_refused_whatever_is_asked(client: Client, settings: Any, host: str, is_debug: bool) -> None:
    """DNS rebinding: a foreign name that points at this machine. What is answered, the foreign page can read."""
    settings.DEBUG = is_debug
    headers = {"Host": host}
    for address in ("/things/", "/nowhere/"):
        page = client.get(address, headers=headers)
        assert (page.status_code, b"That request was not understood" in page.content) == (400, True)
        assert b"settings" not in page.content.lower()
        assert client.post(address, headers={**headers, "Origin": f"http://{host}"}).status_code == 400
    api = client.get("/api/things", headers=headers)
    assert (api.status_code, api.json()) == (
        400,
        {
            "error": "unknown_host",
            "message": "Loom does not know this host name.",
            "details": {"advice": "Add it to ALLOWED_HOSTS."},
        },
    )


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_known(client: Client, host: str) -> None:
    assert client.get("/things/", headers={"Host": host}).status_code == 200
    assert client.post("/things/", headers={"Host": host, "Origin": f"http://{host.lower()}"}).status_code == 200


def test_the_front_end_of_development_may_use_the_api_alone(client: Client) -> None:
    """S0-118."""
    headers = {"Origin": FRONT_END, "Sec-Fetch-Site": "same-site"}

    read = client.get("/api/things", headers=headers)
    changed = client.post("/api/things", "{}", content_type="application/json", headers=headers)
    page = client.post("/things/", headers=headers)

    assert (read.status_code, read["Access-Control-Allow-Origin"]) == (200, FRONT_END)
    assert (changed.status_code, changed["Access-Control-Allow-Origin"]) == (200, FRONT_END)
    assert (page.status_code, page.has_header("Access-Control-Allow-Origin")) == (403, False)
    assert not client.get("/things/", headers=headers).has_header("Access-Control-Allow-Origin")


def test_in_production_there_is_no_front_end(client: Client, settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = []
    headers = {"Origin": FRONT_END}

    read = client.get("/api/things", headers=headers)
    changed = client.post("/api/things", "{}", content_type="application/json", headers=headers)

    assert (read.status_code, read.has_header("Access-Control-Allow-Origin")) == (200, False)
    assert (changed.status_code, changed.has_header("Access-Control-Allow-Origin")) == (403, False)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(FRONT_END, FRONT_END), ("http://localhost:5174", None), ("https://localhost:5173", None), ("null", None)],
)
def test_preflights_are_answered_for_the_front_end_alone(client: Client, origin: str, allowed: str | None) -> None:
    """S0-118."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}

    response = client.options("/api/things", headers=headers)

    assert response.get("Access-Control-Allow-Origin") == allowed
    assert response.get("Access-Control-Allow-Credentials") is None


@given(origin=st.text() | st.from_regex(r"https?://[^/]*", fullmatch=True))
def test_no_origin_breaks_the_check_and_only_ours_passes(origin: str) -> None:
    if is_own_origin(origin, "localhost:8000"):
        assert "".join(origin.split()).lower().startswith(("http://localhost:8000", "https://localhost:8000"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_address_with_a_nul_is_refused(client: Client, method: str) -> None:
    response = getattr(client, method)("/api/things%00", content_type="application/json")

    assert (response.status_code, response.json()) == (
        400,
        {"error": "invalid", "message": "The address holds a NUL character.", "details": {}},
    )
