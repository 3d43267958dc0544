from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile

from loom.web.static import StaticFilesApp

CSS = "body { color: teal } /* " + "x" * 1000 + " */"
Get = Callable[..., Any]


@pytest.fixture
def hashed_url(settings: Any, tmp_path: Path) -> str:
    """Gather one file as collectstatic does, beside a secret that is none of it; return its address."""
    settings.DEBUG = False
    settings.STATIC_ROOT = tmp_path / "static"
    (tmp_path / "secret.txt").write_text("secret")
    storage = ManifestStaticFilesStorage(location=settings.STATIC_ROOT)
    storage.save("css/base.css", ContentFile(CSS))
    for _, _, problem in storage.post_process({"css/base.css": (storage, "css/base.css")}):
        assert problem is True
    return storage.url("css/base.css")


@pytest.fixture
def get(hashed_url: str) -> Get:
    async def page(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page " + scope["path"].encode()})

    app: Any = StaticFilesApp(page)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver")

    async def request(address: str, method: str = "GET", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.request(method, address, headers=sent)

    return request


async def test_a_name_with_a_hash_is_kept_for_ever(get: Get, hashed_url: str) -> None:
    answer = await get(hashed_url, accept_encoding="identity")

    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, CSS, "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_name_without_a_hash_is_asked_about_again(get: Get) -> None:
    """Its content changes with the next version of Loom."""
    answer = await get("/static/css/base.css")
    again = await get("/static/css/base.css", if_none_match=answer.headers["etag"])

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert (again.status_code, again.content) == (304, b"")


async def test_files_travel_compressed(get: Get, hashed_url: str) -> None:
    answer = await get(hashed_url, accept_encoding="gzip")

    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert answer.text == CSS
    assert answer.num_bytes_downloaded < len(CSS) / 5


@pytest.mark.parametrize(
    "address",
    [
        "/static/css/other.css",
        "/static/css/base.000000000000.css",
        "/static/css/",
        "/static/",
        "/static/..%2fsecret.txt",
        "/static/css/..%2f..%2fsecret.txt",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/%00",
        "/static/" + "x" * 300,
    ],
)
async def test_what_is_not_there_is_404_and_never_kept(get: Get, address: str) -> None:
    answer = await get(httpx.URL("http://testserver", raw_path=address.encode()))

    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert "cache-control" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_files_are_only_read(get: Get, hashed_url: str, method: str) -> None:
    answer = await get(hashed_url, method)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("address", ["/", "/agents/", "/static", "/statics/x"])
async def test_everything_else_is_handed_on(get: Get, address: str) -> None:
    assert (await get(address)).text == f"page {address}"
