"""The socket of a session page: prompts in, messages with HTML out.

What goes out is handed to the server at once, or kept in a bounded outbox for one task, which sends it in order and,
whenever something may be missing on the page, finds out what. A page tells with its address what it shows, so a
reconnect, a slow reader and a first visit are the same case. A page that shows things slower than they come gets what
goes on with an answer once it says what it has shown, all of that in one message. The socket holds no state that a
reload would miss.
"""

from __future__ import annotations

import asyncio
import json
import logging
from copy import copy
from typing import Any

from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.sign_in.consumer import CLOSE_FAILED, CLOSE_RESTARTING, SignedInConsumer, SocketClosedError
from apps.core.exceptions import LoomError
from apps.core.notices.topics import may_join
from apps.core.requests.direct_write import EXTENSION
from apps.core.requests.unavailability import unavailability
from apps.sessions import invoking, selectors
from apps.sessions.engine.engine import engine
from apps.sessions.exceptions import ShuttingDownError
from apps.sessions.forms import InvokeForm
from apps.sessions.models import Invocation, QueuedPrompt, Session
from apps.sessions.typed_ahead import CHANGED as PROMPTS_CHANGED
from apps.sessions.viewing.broadcast import Broadcast, broadcast_of
from apps.sessions.viewing.credit import Credit
from apps.sessions.viewing.frames import Frame, message
from apps.sessions.viewing.line import Line
from apps.sessions.viewing.rendering import (
    OUTDATED_PAGE,
    composer_message,
    environment_message,
    environment_of,
)
from apps.sessions.viewing.stored_turns import final_turn
from apps.sessions.viewing.viewer_queue import Shown

logger = logging.getLogger(__name__)

TURNS_CAUGHT_UP = 30
ENVIRONMENT_AFTER_S = 0.1
CLOSE_STALLED = 1013
CLOSE_NOT_FOUND = 4404


class SessionConsumer(SignedInConsumer):
    """Follows one session for one viewer."""

    outbox_limit = 128_000  # characters; the frames themselves are shared by all viewers
    stalled_s = 60.0
    session: Session
    _sender: asyncio.Task[None] | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _is_stalled = False

    async def let_go(self) -> None:
        """Stop reading. The runs go on: they belong to the process."""
        if self._sender is not None:
            self._sender.cancel()
            if self._stall_timer:
                self._stall_timer.cancel()
            self._leave_all()
        await super().let_go()

    async def enter(self) -> None:
        scope: Any = self.scope
        write = (scope.get("extensions") or {}).get(EXTENSION)
        self._shown = Shown(self.scope["query_string"].decode("latin-1"))
        credit = Credit(is_limited=self._shown.acknowledges)
        self._line = Line(scope.get("server_send", self.base_send), write, self.outbox_limit, credit)
        self._held: set[int] = set()  # runs of which something is to be sent when there is credit again
        self._broadcasts: dict[int, Broadcast] = {}
        self._ended_broadcast: Broadcast | None = None  # which has a last frame to come
        self._started: list[Invocation] = []
        self._is_behind = True
        self._has_environment_changed = False
        self.user, self.session = await database_sync_to_async(self._may_enter)()
        await self.join(self.session.topic)
        self._sender = asyncio.create_task(self._send_all(), name=f"viewer-of-session-{self.session.pk}")
        if self._shown.is_outdated:
            self._put(OUTDATED_PAGE)
        self._line.wake()
        self._look_for_stall()

    def _may_enter(self) -> tuple[User, Session]:
        user, session = self._find()
        if not may_join(user, session.topic):
            raise SocketClosedError(CLOSE_NOT_FOUND)
        return user, session

    def _find(self) -> tuple[User, Session]:
        """The user, who is signed in, and the session, which he may see; raises SocketClosedError."""
        user = self.signed_in_user()
        session = selectors.session_visible_to(user, self.scope["url_route"]["kwargs"]["public_id"])
        if session is None:
            raise SocketClosedError(CLOSE_NOT_FOUND)
        return user, session

    def _leave_all(self) -> None:
        for broadcast in (*self._broadcasts.values(), self._ended_broadcast):
            if broadcast is not None:
                broadcast.leave(self)
        self._broadcasts.clear()
        self._held.clear()
        self._ended_broadcast = None

    # --- what the page says -------------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take `{"action": "invoke", "prompt": …, "request_key": …}`, `{"action": "stop"}` or `{"action": "shown", …}`.

        Never awaits a stream, dispatch is serial.
        """
        try:
            said = json.loads(text_data or "")
        except (ValueError, RecursionError):
            return
        if self._sender is None or self.is_shut or not isinstance(said, dict):
            return
        if said.get("action") == "shown":
            self._acknowledge(said.get("count"))
        elif said.get("action") == "invoke":
            await self._invoke(said)
        elif said.get("action") == "stop":
            await database_sync_to_async(self._stop)()

    def _acknowledge(self, count: object) -> None:
        """The page has shown so many messages since it connected."""
        if isinstance(count, int):
            self._line.credit.acknowledge(count)
            if self._held and self._line.credit.is_left:
                self._line.wake()

    async def _invoke(self, said: dict[str, Any]) -> None:
        # JSON can hold half of a surrogate pair, which cannot be sent back either; Django replaces it in a posted form.
        texts = {name: str(said.get(name, "")).encode(errors="replace").decode() for name in InvokeForm.base_fields}
        form = InvokeForm(texts)
        started: Invocation | QueuedPrompt | None = None
        try:
            if form.is_valid():
                # It may wait for a run that is being stopped: not in the thread that everybody shares.
                started = await database_sync_to_async(self._start, thread_sensitive=False)(form)
        except ShuttingDownError:
            # The page connects again, elsewhere or later, and sends it again.
            raise SocketClosedError(CLOSE_RESTARTING) from None
        except LoomError as error:
            form.refuse(error)
        if started is None:
            running = await database_sync_to_async(selectors.unfinished_invocation)(self.session)
            self._put(composer_message(self.session, running, form))
            self._signal("refused", texts["request_key"])
            return
        if isinstance(started, QueuedPrompt):
            pass  # the notice of what waits is on its way to every page of the session
        elif started.is_unfinished:
            self._started.append(started)
        else:
            self._is_behind = True
        self._line.wake()
        self._signal("accepted", texts["request_key"])

    def _start(self, form: InvokeForm) -> Invocation | QueuedPrompt:
        self.user, session = self._find()
        return form.send(session)

    def _stop(self) -> None:
        _, session = self._find()
        invocation = selectors.unfinished_invocation(session)
        if invocation is not None:
            invoking.stop_invocation(invocation=invocation)

    # --- what the page is told ----------------------------------------------------------------------------------------

    async def look_again(self) -> None:
        """What the viewer may see is looked up with what the page lacks."""
        self._is_behind = True
        self._line.wake()

    async def hear(self, kind: str) -> None:
        """Something about this session changed, here or in another process."""
        kind, _, subject = kind.partition(":")
        if kind in {"measurement", "spans", PROMPTS_CHANGED}:
            self._signal(kind)
            return
        if kind == "changed":
            if int(subject) in self._broadcasts:
                self._broadcasts[int(subject)].look_again()
            return
        if kind == "finished" and int(subject) in self._broadcasts:
            self._broadcasts[int(subject)].hurry()
        if subject and self._knows(int(subject), is_over=kind == "finished"):
            return
        stream = engine.stream(int(subject)) if subject else None
        if stream is not None and stream.invocation is not None and not stream.is_finishing:
            # Of this process: a hundred viewers ask no database. A copy, as the recorder writes the end into its own.
            self._started.append(copy(stream.invocation))
        else:
            self._has_environment_changed |= kind == "ended"
            self._is_behind = True
        self._line.wake()

    def _knows(self, invocation_id: int, *, is_over: bool) -> bool:
        """Whether the page shows that this run has started, or is over, or will be told so by what it follows."""
        if invocation_id in self._broadcasts or any(run.pk == invocation_id for run in self._started):
            return True
        is_running = invocation_id in self._shown.running
        return not (is_over and is_running) and invocation_id <= (self._shown.last or 0)

    def take(self, frame: Frame) -> None:
        """A frame of a broadcast that this viewer follows."""
        if frame.is_delta and frame.place is not None and (self._held or not self._line.credit.is_left):
            self._held.add(frame.place.invocation_id)
        elif self._line.put(frame):
            self._note_sent(frame)

    def _put(self, text: str) -> None:
        self.take(Frame(text))

    def _signal(self, kind: str, key: str = "") -> None:
        self._put(message(kind, key=key))

    async def _send_all(self) -> None:
        try:
            while True:
                await self._line.wait()
                await self._send_what_there_is()
        except asyncio.CancelledError:
            if not self._is_stalled:
                raise
            logger.info("viewer stalled session=%s", self.session.pk)
            await self._give_up(CLOSE_STALLED)
        except SocketClosedError as error:
            await self._give_up(error.code)
        except OSError:
            self._leave_all()  # the viewer is gone; `disconnect` follows
        except Exception as error:  # the top frame of the task
            logger.exception("viewer failed session=%s", self.session.pk)
            await self._give_up(CLOSE_RESTARTING if unavailability(error) else CLOSE_FAILED)

    async def _send_what_there_is(self) -> None:
        outbox = self._line.outbox
        while self._started or self._is_behind or outbox or outbox.has_overflowed or self._may_go_on:
            while self._started:
                await self._show(self._started.pop(0))
            if outbox.has_overflowed:
                self._start_over()
            if self._is_behind:
                self._is_behind = False
                await self._catch_up()
            if outbox:
                await self._send_frame(outbox.take())
            elif self._may_go_on:
                await self._go_on()

    @property
    def _may_go_on(self) -> bool:
        return bool(self._held) and self._line.credit.is_left

    async def _go_on(self) -> None:
        """Send in one message what came of a run since the page said nothing."""
        invocation_id = self._held.pop()
        broadcast, shown = self._broadcasts.get(invocation_id), self._shown.running.get(invocation_id)
        if broadcast is not None and shown is not None:
            await self._send_frame(broadcast.since(shown))

    def _start_over(self) -> None:
        """Frames were dropped: whatever the page may show by now, bring it up to date."""
        self._leave_all()
        self._line.outbox.clear()
        self._is_behind = self._has_environment_changed = True
        self._signal("measurement")
        self._signal("spans")

    async def _send_frame(self, frame: Frame) -> None:
        if frame.is_failure:
            raise SocketClosedError(CLOSE_FAILED)
        await self._line.send(frame.text)
        self._note_sent(frame)

    def _note_sent(self, frame: Frame) -> None:
        """What the page shows now."""
        if frame.place is None:
            return
        invocation_id = frame.place.invocation_id
        if not frame.is_end:
            self._shown.running[invocation_id] = frame.place
        elif invocation_id in self._broadcasts:
            self._ended_broadcast = self._broadcasts.pop(invocation_id)
            self._has_ended(invocation_id)
        else:
            self._ended_broadcast = None  # that was its last frame; a page that is left open holds no answer

    def _look_for_stall(self) -> None:
        """Give up a viewer that did not read for `stalled_s`; one timer now and then costs less than one a frame."""
        loop = asyncio.get_running_loop()
        if self._sender is None or self._sender.done():
            return
        waited_s = self._line.waited_s
        if waited_s < self.stalled_s:
            self._stall_timer = loop.call_later(self.stalled_s - waited_s, self._look_for_stall)
        else:
            self._is_stalled = True
            self._sender.cancel()

    async def shut(self, code: int) -> None:
        if self._sender is not None and not self.is_shut:
            self._sender.cancel()
        await self._give_up(code)

    async def _give_up(self, code: int) -> None:
        if self._sender is not None:
            self._leave_all()
        try:
            async with asyncio.timeout(1):
                await super().shut(code)
        except TimeoutError:
            # Not even the close fits: end the consumer, and the server drops the connection.
            await self.channel_layer.send(self.channel_name, {"type": "viewer.gone"})

    async def viewer_gone(self, event: dict[str, Any]) -> None:
        raise StopConsumer

    def _has_ended(self, invocation_id: int) -> None:
        self._held.discard(invocation_id)
        self._shown.running.pop(invocation_id, None)
        self._shown.last = max(self._shown.last or 0, invocation_id)

    async def _catch_up(self) -> None:
        """Send the turns that the page lacks or shows as they no longer are, then what else differs."""
        is_changed, self._has_environment_changed = self._has_environment_changed, False
        session, invocations, environment = await database_sync_to_async(self._news)(is_changed)
        if session is None:
            await database_sync_to_async(self.signed_in_user)()  # whoever is no user any more is told that
            raise SocketClosedError(CLOSE_NOT_FOUND)
        self.session = session
        finished = 0
        for invocation in invocations:
            if invocation.is_unfinished:
                await self._show(invocation)
            elif invocation.pk not in self._broadcasts:
                _, turn = await database_sync_to_async(final_turn)(invocation.pk, is_end=False)
                await self._line.send(turn)
                self._has_ended(invocation.pk)
                finished = invocation.number
        if environment:
            self._put(environment)  # behind what is on its way and may be older
        if finished:
            self._put(message("finished", number=finished))

    def _news(self, is_environment_changed: bool) -> tuple[Session | None, list[Invocation], str]:
        """The session, its turns that the page lacks, and the environment where that may have changed."""
        session = selectors.sessions_visible_to(self.user).filter(pk=self.session.pk).first()
        if session is None:
            return None, [], ""
        of_session = session.invocations.select_related("session__agent__runtime", "repeated_from__session")
        if self._shown.last is None:  # a viewer without a page: it wants what comes
            ended = of_session.exclude(status__in=Invocation.UNFINISHED).order_by("-number").first()
            self._shown.last = ended.pk if ended else 0
        news = of_session.filter(Q(pk__in=self._shown.running) | Q(pk__gt=self._shown.last))
        invocations = list(news.order_by("-number")[:TURNS_CAUGHT_UP])[::-1]
        has_ended = any(not invocation.is_unfinished for invocation in invocations)
        has_changed = self._is_environment_outdated(session) or is_environment_changed or has_ended
        return session, invocations, environment_message(session, environment_of(session)) if has_changed else ""

    def _is_environment_outdated(self, session: Session) -> bool:
        """Whether the page came with an environment of before a start or an end, of a run or of the session."""
        shown, self._shown.environment = self._shown.environment, ""
        if shown == "busy":
            return not self._shown.running
        return shown not in {"", "ended"} and (session.is_ended or bool(self._shown.running))

    async def _show(self, invocation: Invocation) -> None:
        """Put a running turn on the page, or bring it up to date, and follow it from there to its end."""
        if invocation.pk in self._broadcasts:
            return
        if self._ended_broadcast is not None:
            self._ended_broadcast.leave(self)
            self._ended_broadcast = None
        broadcast = broadcast_of(invocation)
        state = await broadcast.join(self, self._shown.running.get(invocation.pk))
        if state is None:
            self._is_behind = True
            return
        self._broadcasts[invocation.pk] = broadcast
        if invocation.pk not in self._shown.running:  # after the first token, which is waited for
            asyncio.get_running_loop().call_later(ENVIRONMENT_AFTER_S, self._show_environment, broadcast)
        await self._send_frame(state)

    def _show_environment(self, broadcast: Broadcast) -> None:
        if broadcast.invocation.pk in self._broadcasts and broadcast.is_running and not broadcast.is_over:
            self.take(broadcast.busy_environment)
