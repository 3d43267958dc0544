"""Behind a proxy the sign-in counts whoever asks it, and believes nobody else who they are."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import urlencode

import pytest

from apps.accounts.sign_in.limits import OF_ADDRESS
from loom.tests.fixtures import Loom
from loom.tests.relay import ForwardingProxy
from loom.tests.visiting import another_web_process

pytestmark = pytest.mark.slow("starts a web process behind a proxy")

PROXY, ONE, OTHER, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"


@pytest.fixture
def web(loom: Loom) -> Iterator[Loom]:
    """A web process that believes the proxy alone."""
    with another_web_process(replace(loom, environment={**loom.environment, "FORWARDED_ALLOW_IPS": PROXY})) as web:
        yield web


class Guesser:
    """Tries to sign in from an address of this machine; without a password, which counts and costs no hashing."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port, self._count = address, port, 0
        answer = self._ask("GET", "", {})
        self._token = answer.getheader("Set-Cookie", "").partition("csrftoken=")[2].partition(";")[0]

    def tries(self, forged: str = "") -> int:
        """The status of one more try, for another account each time."""
        self._count += 1
        form = {"csrfmiddlewaretoken": self._token, "username": f"{self._address}-{self._count}@example.com"}
        headers = {"Cookie": f"csrftoken={self._token}", "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", urlencode(form), headers | ({"X-Forwarded-For": forged} if forged else {})).status

    def _ask(self, method: str, body: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60, source_address=(self._address, 0))
        connection.request(method, "/accounts/login/", body, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer


def test_clients_of_a_proxy_count_each_and_a_stranger_cannot_say_who_he_is(web: Loom) -> None:
    port = int(web.url.rpartition(":")[2])
    proxy = ForwardingProxy(port, PROXY)
    try:
        one, other, stranger = Guesser(ONE, proxy.port), Guesser(OTHER, proxy.port), Guesser(STRANGER, port)
        assert {one.tries() for _ in range(OF_ADDRESS.count)} == {HTTPStatus.OK}
        assert one.tries() == HTTPStatus.TOO_MANY_REQUESTS
        assert one.tries(forged="203.0.113.9") == HTTPStatus.TOO_MANY_REQUESTS
        assert other.tries() == HTTPStatus.OK

        found = [stranger.tries(forged=OTHER) for _ in range(OF_ADDRESS.count)]
        assert set(found) == {HTTPStatus.OK}
        assert stranger.tries(forged="203.0.113.9") == HTTPStatus.TOO_MANY_REQUESTS
        assert other.tries() == HTTPStatus.OK
    finally:
        proxy.close()
