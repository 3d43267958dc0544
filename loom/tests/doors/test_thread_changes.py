"""What a request is handed to a thread for: each time costs it as much as a statement of the database."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.test import Client

from apps.accounts.models import User
from loom.asgi import http
from loom.tests.serving import Caller, serving


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    call = SyncToAsync.__call__

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        found.append(getattr(self.func, "__qualname__", repr(self.func)))
        return await call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", counted)
    return found


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        # Who is asking, and what is asked for; the rest gives the connection back.
        ("/agents/", ["process_view", "agent_list", "hand_on_connections", "close", "hand_on_connections"]),
        ("/api/agents", ["sync_view_wrapper", "hand_on_connections", "close", "hand_on_connections"]),
    ],
)
@pytest.mark.django_db(transaction=True)
async def test_a_request_has_a_thread_for_what_asks_the_database(
    alice: User, handed_over: list[str], address: str, expected: list[str]
) -> None:
    client = Client()
    await sync_to_async(client.force_login)(alice)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    async with serving(http) as served:
        for _ in range(2):  # the first one loads what it needs
            while served.state.tasks:
                await asyncio.wait(set(served.state.tasks))
            handed_over.clear()
            request = f"GET {address} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
            answer = await (await Caller.call(served, request.encode())).all()
        while served.state.tasks:
            await asyncio.wait(set(served.state.tasks))

    assert answer.startswith(b"HTTP/1.1 200 ")
    # `sync_send` are receivers that a client of Django's tests has connected again.
    assert [found for name in handed_over if (found := name.rpartition(".")[2]) != "sync_send"] == expected
