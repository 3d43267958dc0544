"""A socket that ends with what let its user in: at once where that is announced, else before the next message."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from channels.consumer import get_handler_name
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError

from apps.accounts.models import User
from apps.accounts.sign_in.ways import SIGNED_OUT, SignIn
from apps.core.notices.notices import group_name, is_layer_away
from apps.core.requests.unavailability import unavailability
from apps.core.running.telemetry import Counter, Gauge, Histogram

logger = logging.getLogger(__name__)

CLOSE_FAILED = 1011
CLOSE_RESTARTING = 1012
CLOSE_SIGNED_OUT = 4401

_opened = Histogram("loom_socket_connection_seconds", "From the handshake of a socket to the first it is told")
_closed = Counter("loom_sockets_closed", "Sockets that Loom closed, by the code that it gave", ("code",))
_open: set[int] = set()
Gauge("loom_sockets", "Sockets that are open", lambda: len(_open))


class SocketClosedError(Exception):
    """This viewer is not served any more; `code` tells its browser why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class SignedInConsumer(AsyncWebsocketConsumer):
    """Accepts whoever is signed in, and follows topics for him for as long as he is."""

    user: User
    sign_in: SignIn
    is_shut = False
    _groups: tuple[str, ...] = ()
    _guard: asyncio.Task[None] | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Channels' own closes old database connections before each message, in a thread that a prompt would wait for
        # twice: here `database_sync_to_async` does so with each use.
        try:
            await getattr(self, get_handler_name(message))(message)
        except SocketClosedError as error:
            await self.shut(error.code)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:
            if not is_layer_away(error) and unavailability(error) is None:
                raise
            # The browser connects again, and again, and says what was not confirmed once more.
            logger.warning("socket closed: notices or rows cannot be had error=%s", type(error).__name__)
            await self.shut(CLOSE_RESTARTING)
        finally:
            # Not in `disconnect`, which channels does not call where a handler failed or the viewer was given up.
            await self.let_go()

    async def connect(self) -> None:
        began = time.monotonic()
        _open.add(id(self))
        await self.accept()  # a close before the accept reaches a browser as 1006, and it would try again for ever
        scope: Any = self.scope
        if not scope["user"].is_authenticated:
            raise SocketClosedError(CLOSE_SIGNED_OUT)
        self.sign_in = scope["sign_in"]
        await self.join(*self.sign_in.topics)  # before it is asked about: what ends it in between is heard
        await self.enter()
        _opened.observe(time.monotonic() - began)
        self._guard = asyncio.create_task(self._look_again(), name="guard of a socket")

    async def enter(self) -> None:
        """Begin, for whom `signed_in_user` gives; raises SocketClosedError."""
        raise NotImplementedError

    async def join(self, *topics: str) -> None:
        """Hear of topics; who may is asked before."""
        for topic in topics:
            group = group_name(topic)
            await self.channel_layer.group_add(group, self.channel_name)
            self._groups += (group,)

    def signed_in_user(self) -> User:
        """The user as he is now; raises SocketClosedError once he is signed out. Asks the database."""
        user = self.sign_in.current_user()
        if user is None:
            raise SocketClosedError(CLOSE_SIGNED_OUT)
        return user

    async def notice(self, event: dict[str, Any]) -> None:
        """A topic changed, here or in another process."""
        if event["topic"] not in self.sign_in.topics:
            await self.hear(event["kind"])
        elif event["kind"] == SIGNED_OUT:
            raise SocketClosedError(CLOSE_SIGNED_OUT)
        else:
            self.user = await database_sync_to_async(self.signed_in_user)()
            await self.look_again()

    async def hear(self, kind: str) -> None:
        """Something about what this socket follows changed."""
        raise NotImplementedError

    async def look_again(self) -> None:
        """The user may have other rights by now."""
        raise NotImplementedError

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(self.sign_in.look_again_s)
            try:
                self.user = await database_sync_to_async(self.signed_in_user)()
            except SocketClosedError as error:
                await self.shut(error.code)
                return
            except DatabaseError:
                continue  # a message that counts asks as well

    async def shut(self, code: int) -> None:
        """Close at once, whatever is on its way; nothing that is said afterwards counts."""
        if not self.is_shut:
            self.is_shut = True
            _closed.add(str(code))
            await self.close(code)

    async def let_go(self) -> None:
        """Hear of nothing any more."""
        _open.discard(id(self))
        if self._guard is not None:
            self._guard.cancel()
        for group in self._groups:
            try:
                await self.channel_layer.group_discard(group, self.channel_name)
            except Exception as error:
                if not is_layer_away(error):
                    raise
                return  # it forgets by itself
