"""One request to Loom and its answer: the connection, the token, what goes wrong on the way."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from loom_client.errors import ApiError, UnreachableError

# A stream says something every 15 s; a request that waits is answered within 60 s.
TIMEOUT_S = 75.0


class Response:
    """An answer and the connection it comes over, which are closed together."""

    def __init__(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._answer = answer

    def readline(self) -> bytes:
        return self._answer.readline()

    def read(self) -> bytes:
        """All of it; closes the connection."""
        try:
            return self._answer.read()
        finally:
            self.close()

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


class Wire:
    """Sends requests to one Loom, each on a connection of its own."""

    def __init__(self, url: str, token: str = "", timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("Loom's address looks like http://127.0.0.1:8000.")
        self.url = url.rstrip("/")
        self._parts = parts
        self._timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def _json(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        text = self._whole(self._send(method, path, body, headers))
        return json.loads(text) if text else None

    def _file(self, path: str) -> bytes:
        return self._whole(self._send("GET", path))

    def _whole(self, response: Response) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(f"The answer of {self.url} broke off.") from error

    def _send(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Response:
        """One request on a connection of its own; the response is not read yet."""
        secure = self._parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(self._parts.hostname or "", self._parts.port, timeout=self._timeout_s)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self._headers, **(headers or {}), "Connection": "close"}
        if data is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, f"{self._parts.path.rstrip('/')}/api{path}", data, sent)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise UnreachableError(f"Nothing answers at {self.url}.") from error
        response = Response(connection, answer)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise ApiError(answer.status, _error_body(response.read()))
        return response


def _error_body(text: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
