from __future__ import annotations

import pytest

from apps.core.network import url_of


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123"),
        ("0.0.0.0", "http://127.0.0.1:8123"),  # noqa: S104 -- recognised, not bound
        ("::", "http://[::1]:8123"),
        ("::1", "http://[::1]:8123"),
        ("loom.example", "http://loom.example:8123"),
    ],
)
def test_where_a_server_is_reached_that_listens_there(host: str, url: str) -> None:
    assert url_of(host, 8123) == url
