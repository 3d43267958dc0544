"""HTML travels compressed, and nothing else does: asked of a real server, which streams where it streams."""

from __future__ import annotations

import gzip
import http.client
import json
import re
from urllib.parse import urlsplit

import pytest
from django.test import Client

from loom.tests.fixtures import Loom

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def ask(loom: Loom, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer as it came over the wire: nothing here unpacks it."""
    connection = http.client.HTTPConnection(urlsplit(loom.url).netloc, timeout=60)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def tags(page: bytes) -> list[bytes]:
    """What a page is made of: its words change with the time."""
    return re.findall(rb"</?[a-z0-9]+", page)


def without_tokens(page: bytes) -> bytes:
    return re.sub(rb"[A-Za-z0-9]{64}", b"token", page)


@pytest.mark.parametrize("path", ["/agents/", "/operate/", "/sessions/", "/nowhere/"])
def test_pages_come_compressed_and_whole(loom: Loom, path: str) -> None:
    plain, page = ask(loom, path)
    packed, sent = ask(loom, path, accept_encoding=GZIP["Accept-Encoding"])

    assert (plain.headers["Content-Encoding"], packed.headers["Content-Encoding"]) == (None, "gzip")
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]
    assert len(sent) < len(page) / 2
    assert tags(gzip.decompress(sent)) == tags(page)


def test_fragments_come_compressed(loom: Loom) -> None:
    answer, sent = ask(loom, "/agents/", accept_encoding="gzip", hx_request="true", hx_target="agent-table")

    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<!doctype" not in gzip.decompress(sent)


@pytest.mark.parametrize("accepted", ["", "br", "identity", "gzip;q=0", "deflate, gzip; q=0.0"])
def test_who_cannot_unpack_it_gets_it_plainly(loom: Loom, accepted: str) -> None:
    answer, page = ask(loom, "/agents/", accept_encoding=accepted)

    assert answer.headers["Content-Encoding"] is None
    assert b"</html>" in page


def test_the_api_and_streams_are_left_alone(loom: Loom) -> None:
    answer, body = ask(loom, "/api/agents", **{"Accept_Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] is None
    agent = json.loads(body)[0]["id"]

    connection = http.client.HTTPConnection(urlsplit(loom.url).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", **GZIP}
    connection.request("POST", f"/api/agents/{agent}/invoke", json.dumps({"prompt": "Hi"}), headers)
    stream = connection.getresponse()
    assert stream.headers["Content-Encoding"] is None
    assert stream.read(6).startswith((b"event:", b"data:", b"id:", b": "))
    connection.close()


def test_what_another_site_asks_for_has_no_length_to_learn_from(loom: Loom) -> None:
    """A browser says so; a link that is followed from there is asked for plainly as well."""
    answer, _ = ask(loom, "/agents/?q=guess", accept_encoding="gzip", sec_fetch_site="cross-site")

    assert answer.headers["Content-Encoding"] is None


@pytest.mark.django_db
def test_the_length_of_the_same_page_differs(client: Client) -> None:
    """A secret cannot be read from it by small steps."""
    lengths = {len(client.get("/accounts/login/", headers=GZIP).content) for _ in range(20)}

    assert len(lengths) > 5
