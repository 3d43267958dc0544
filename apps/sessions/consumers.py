"""The socket of a session page: sends prompts in, sends HTML fragments out.

It holds no state that a reload would miss.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.template.loader import render_to_string

from apps.accounts.models import User
from apps.core.exceptions import LoomError
from apps.core.notices import group_name
from apps.core.topics import may_join
from apps.sessions import live, selectors, services
from apps.sessions.forms import InvokeForm
from apps.sessions.models import Invocation, Session
from apps.sessions.rendering import AnswerRenderer, Turn, answer_frame, render_turn, turn_html

logger = logging.getLogger(__name__)

FRAME_S = 0.033  # at most one frame in this time; the first token is never held back
RENDER_REST = 4  # an answer that is slow to render gets fewer frames, and never more than a fifth of the loop
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_FOUND = 4404


class SessionConsumer(AsyncWebsocketConsumer):
    """Follows one session for one viewer."""

    session: Session
    user: User
    _following: dict[int, asyncio.Task[None]]

    async def connect(self) -> None:
        self._following = {}
        await self.accept()  # a close before the accept reaches a browser as 1006, and it would try again for ever
        user: Any = self.scope["user"]
        if not user.is_authenticated:
            await self.close(CLOSE_SIGNED_OUT)
            return
        session = await database_sync_to_async(self._find)(user)
        if session is None:
            await self.close(CLOSE_NOT_FOUND)
            return
        self.user, self.session = user, session
        await self.channel_layer.group_add(group_name(session.topic), self.channel_name)
        await self._catch_up()

    def _find(self, user: User) -> Session | None:
        public_id = self.scope["url_route"]["kwargs"]["public_id"]
        session = selectors.sessions_visible_to(user).filter(public_id=public_id).first()
        return session if session is not None and may_join(user, session.topic) else None

    async def disconnect(self, code: int) -> None:
        # The runs go on: they belong to the process. Only this viewer stops reading.
        for task in self._following.values():
            task.cancel()
        if hasattr(self, "session"):
            await self.channel_layer.group_discard(group_name(self.session.topic), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take `{"action": "invoke", "prompt": …}` or `{"action": "stop"}`.

        Never awaits a stream, dispatch is serial.
        """
        try:
            message = json.loads(text_data or "")
        except ValueError:
            return
        if not hasattr(self, "session") or not isinstance(message, dict):
            return
        if message.get("action") == "invoke":
            await self._invoke(message)
        elif message.get("action") == "stop":
            await self._stop()

    async def _invoke(self, message: dict[str, Any]) -> None:
        # JSON can hold half of a surrogate pair, which cannot be sent back either; Django replaces it in a posted form.
        form = InvokeForm({"prompt": str(message.get("prompt", "")).encode(errors="replace").decode()})
        if not form.is_valid():
            await self._send_composer(form=form)
            return
        try:
            invocation = await database_sync_to_async(self._start)(form.cleaned_data["prompt"])
        except LoomError as error:
            form.add_error("prompt", f"{error} {error.advice}")
            await self._send_composer(form=form)
            return
        await self._show(invocation)

    def _start(self, prompt: str) -> Invocation:
        session = selectors.sessions_visible_to(self.user).get(pk=self.session.pk)
        return services.invoke(session=session, prompt=prompt)

    async def _stop(self) -> None:
        invocation = await database_sync_to_async(selectors.running_invocation)(self.session)
        if invocation is not None:
            live.engine.stop(invocation.pk)
            await database_sync_to_async(services.request_stop)(invocation=invocation)

    async def notice(self, event: dict[str, Any]) -> None:
        """Something about this session changed, here or in another process."""
        if event["kind"] == "started":
            await self._catch_up()
        elif event["kind"] == "measurement":
            await self._signal("measurement")

    async def _catch_up(self) -> None:
        invocation = await database_sync_to_async(selectors.running_invocation)(self.session)
        if invocation is not None:
            await self._show(invocation)

    async def _show(self, invocation: Invocation) -> None:
        """Put the turn on the page, or bring it up to date, and follow it from there to its end."""
        if invocation.pk not in self._following:
            task = asyncio.create_task(self._follow(invocation), name=f"viewer-of-{invocation.pk}")
            self._following[invocation.pk] = task
            task.add_done_callback(lambda _: self._following.pop(invocation.pk, None))

    async def _follow(self, invocation: Invocation) -> None:
        try:
            stream = live.engine.stream(invocation.pk)
            past = (
                list(stream.events) if stream else await database_sync_to_async(selectors.events_after)(invocation.pk)
            )
            renderer = AnswerRenderer(invocation.pk)
            closed, _ = renderer.feed(past)
            await self._send_turn(Turn(invocation, closed, renderer.tail))
            await self._send_composer(running=invocation)
            async for events in live.follow(invocation.pk, after=past[-1]["seq"] if past else 0):
                began = time.perf_counter()
                frame = answer_frame(renderer, events)
                rest_s = max(FRAME_S, RENDER_REST * (time.perf_counter() - began))
                await self.send(text_data=frame)
                await asyncio.sleep(rest_s)
            await self._show_end(invocation.pk)
        except asyncio.CancelledError:
            raise
        except Exception:  # the top frame of the task
            logger.exception("viewer failed invocation=%s", invocation.pk)
            await self.close(1011)

    async def _show_end(self, invocation_id: int) -> None:
        html, number = await database_sync_to_async(self._final)(invocation_id)
        await self.send(text_data=html)
        await self._send_composer()
        await self._signal("finished", number)

    @staticmethod
    def _final(invocation_id: int) -> tuple[str, int]:
        invocation = Invocation.objects.select_related("session__agent").get(pk=invocation_id)
        turn = render_turn(invocation, selectors.events_after(invocation_id))
        return turn_html(turn), invocation.number

    async def _send_turn(self, turn: Turn) -> None:
        """Replace the turn where the page has it; where it has not, live.js appends it to the transcript."""
        await self.send(text_data=await asyncio.to_thread(turn_html, turn))

    async def _send_composer(self, *, running: Invocation | None = None, form: InvokeForm | None = None) -> None:
        context = {"session": self.session, "running": running, "prompt_form": form or InvokeForm(), "oob": True}
        await self.send(text_data=await asyncio.to_thread(render_to_string, "sessions/_composer.html", context))

    async def _signal(self, kind: str, number: int = 0) -> None:
        await self.send(
            text_data=f'<div id="signals" hx-swap-oob="true" data-kind="{kind}" data-number="{number}"></div>'
        )
