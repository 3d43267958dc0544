"""A run as its caller sees it: an iterator of events that survives a broken connection."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from loom_client.errors import LostError, UnreachableError
from loom_client.events import Event, read_events

# Between tries to get back to a run; with each event that arrives they begin anew.
DELAYS_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
BROKEN = (OSError, http.client.HTTPException, UnreachableError)


class Body(Protocol):
    """A response that is read line by line."""

    def readline(self) -> bytes: ...

    def close(self) -> None: ...


class Run(Iterator[Event]):
    """The events of one run, each once and in order, to `session_end` or `error`.

    When the connection breaks it is taken up again after the last event that arrived. Raises LostError where that
    fails for some 20 s, and ApiError for what Loom refuses. `session_id` and `invocation` are known after the first
    event.
    """

    def __init__(
        self,
        agent_id: int,
        begin: Callable[[], Body],
        resume: Callable[[str, int, int], Body],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.agent_id = agent_id
        self.session_id = ""
        self.invocation = 0
        self.text = ""
        self.last: Event | None = None
        self._begin = begin
        self._resume = resume
        self._sleep = sleep
        self._number = 0
        self._body: Body | None = None
        self._events = self._read()

    def __next__(self) -> Event:
        return next(self._events)

    def again(self) -> Run:
        """The rest of this run, from where its reading was broken off; what was sent is not sent again."""
        self.close()
        rest = Run(self.agent_id, self._begin, self._resume, self._sleep)
        rest.session_id, rest.invocation, rest.text = self.session_id, self.invocation, self.text
        rest._number = self._number
        return rest

    def close(self) -> None:
        """Leave the stream; the run goes on unless it was begun with `on_disconnect="stop"`."""
        if self._body is not None:
            self._body.close()

    @property
    def error(self) -> dict[str, Any] | None:
        """What the run failed with: `{message, reason, error, details}`; None while it runs and when it went well."""
        return self.last.data if self.last is not None and self.last.name == "error" else None

    @property
    def unread_event_count(self) -> int:
        """How much of the answer Loom could not read as text; known when the run is over."""
        end = self.last.data if self.last is not None else {}
        return int(end.get("unread_event_count") or (end.get("details") or {}).get("unread_event_count") or 0)

    def _read(self) -> Iterator[Event]:
        tries = 0
        while True:
            try:
                for event in self._connected():
                    tries = 0
                    self._note(event)
                    yield event
                    if event.is_last:
                        self.close()
                        return
            except BROKEN as error:
                if isinstance(error, UnreachableError) and tries == 0 and not self.invocation:
                    raise
                cause: Exception | None = error
            else:
                cause = None  # the body ended without an end of the run: its server is going away
            self.close()
            if tries == len(DELAYS_S):
                raise LostError("The connection to Loom broke and did not come back.") from cause
            self._sleep(DELAYS_S[tries])
            tries += 1

    def _connected(self) -> Iterator[Event]:
        """One connection's events. Before the first the same request is sent again, which its key makes safe."""
        resumed = self._resume(self.session_id, self.invocation, self._number) if self.invocation else self._begin()
        self._body = resumed
        return read_events(iter(resumed.readline, b""))

    def _note(self, event: Event) -> None:
        self._number = max(self._number, event.number)
        if event.name == "session_start":
            self.session_id, self.invocation = event.data["session_id"], event.data["invocation"]
        self.text += event.text
        if event.is_last:
            self.last = event
