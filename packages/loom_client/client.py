"""The client: one method for each thing that the API does."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from loom_client.account_calls import AccountCalls
from loom_client.agent_calls import AgentCalls
from loom_client.alert_calls import AlertCalls
from loom_client.bench_calls import BenchCalls
from loom_client.budget_calls import BudgetCalls
from loom_client.environment_calls import EnvironmentCalls
from loom_client.log_report import LogReport
from loom_client.models import (
    Added,
    Invocation,
    KeptSession,
    Latency,
    Logs,
    Queue,
    Repeat,
    Session,
    StartSeries,
    Unread,
)
from loom_client.prompt_set_calls import PromptSetCalls
from loom_client.run import Run
from loom_client.run_calls import RunCalls
from loom_client.taken_out import SharedLink
from loom_client.wire import Response


class Client(AgentCalls, RunCalls, PromptSetCalls, BenchCalls, BudgetCalls, EnvironmentCalls, AlertCalls, AccountCalls):
    """Speaks to one Loom at `url` with a token of `manage.py create_token`; may be used by several threads.

    Every method raises ApiError for what Loom refuses and UnreachableError where nothing answers.
    """

    # --- sessions and what they answer ---

    def invoke(
        self,
        agent_id: int,
        prompt: str = "",
        *,
        qualifier: str | None = None,
        session_id: str | None = None,
        payload: Any = None,
        on_disconnect: str = "continue",
        request_key: str | None = None,
    ) -> Run:
        """A run that begins when its first event is read. Its prompt is sent once, even if the connection breaks."""
        given = {"prompt": prompt, "qualifier": qualifier, "session_id": session_id, "payload": payload}
        body = {key: value for key, value in given.items() if value is not None} | {"on_disconnect": on_disconnect}
        headers = {"Idempotency-Key": request_key or str(uuid.uuid4())}

        def begin() -> Response:
            return self._send("POST", f"/agents/{agent_id}/invoke", body, headers)

        return Run(agent_id, begin, lambda *place: self._events(agent_id, *place))

    def repeat(self, run_id: int, *, request_key: str | None = None, **where: Any) -> Repeat:
        """Send the prompt of a run once more: in its session, or as `where` says it, in the words of the API: agent_id,
        qualifier, is_fresh, prompt (another one), has_earlier.
        """
        headers = {"Idempotency-Key": request_key or str(uuid.uuid4())}
        return Repeat.read(self._json("POST", f"/runs/{run_id}/repeat", where, headers))

    def follow(self, agent_id: int, session_id: str, invocation: int, since: int = 0, *, detail: bool = False) -> Run:
        """The events of a run after a number, as they were and as they happen; with `detail` also what is no text."""
        return Run(
            agent_id,
            lambda: self._events(agent_id, session_id, invocation, since, detail=detail),
            lambda *place: self._events(agent_id, *place, detail=detail),
        )

    def _events(self, agent_id: int, session_id: str, invocation: int, since: int, *, detail: bool = False) -> Response:
        query = {"invocation": invocation, "since": since} | ({"detail": 1} if detail else {})
        return self._send("GET", self._session(agent_id, session_id, "/events", query))

    def stop(self, agent_id: int, session_id: str) -> bool:
        """Stop what the session is answering; False where nothing was running."""
        return bool(self._json("POST", self._session(agent_id, session_id, "/stop"))["is_stopping"])

    def end(self, agent_id: int, session_id: str) -> None:
        """Ask AgentCore to free the session's environment."""
        self._json("POST", self._session(agent_id, session_id, "/end"))

    def sessions(self, agent_id: int, **query: Any) -> list[Session]:
        """The newest sessions of an agent; `query` as in the API: limit, offset, purpose."""
        path = f"/agents/{agent_id}/sessions?{urlencode(query)}"
        return [Session.read(item) for item in self._json("GET", path)]

    def find_sessions(self, text: str = "", **query: Any) -> list[Session]:
        """Sessions of all agents that say every word of `text`, the last used first; `query` in the words of the API:
        agent, status, qualifier, measure_start, sort, limit, offset.
        """
        asked = {"q": text, **{name: value for name, value in query.items() if value is not None}}
        return [Session.read(item) for item in self._json("GET", f"/sessions?{urlencode(asked)}")]

    def session(self, agent_id: int, session_id: str) -> Session:
        """A session with its runs, the first one first."""
        return Session.read(self._json("GET", self._session(agent_id, session_id)))

    def rename_session(self, agent_id: int, session_id: str, title: str) -> str:
        """Give a session another title; returns the one that was kept."""
        return str(self._json("PATCH", self._session(agent_id, session_id), {"title": title})["title"])

    def invocation(self, agent_id: int, session_id: str, number: int) -> Invocation:
        """A run with its whole answer."""
        return Invocation.read(self._json("GET", self._session(agent_id, session_id, f"/invocations/{number}")))

    def unread(self, agent_id: int, session_id: str, number: int) -> Unread:
        """What of the answer of a run Loom could not read as text."""
        return Unread.read(self._json("GET", self._session(agent_id, session_id, f"/invocations/{number}/unread")))

    def latency(self, agent_id: int, session_id: str, *, invocation: int | None = None, wait_s: float = 0.0) -> Latency:
        """What is known of a run's latency; waits up to `wait_s` for what is not known yet."""
        deadline = time.monotonic() + wait_s
        query: dict[str, Any] = {} if invocation is None else {"invocation": invocation}
        while True:
            is_waiting = time.monotonic() < deadline
            path = self._session(agent_id, session_id, "/latency", {**query, "wait": 1} if is_waiting else query)
            latency = Latency.read(self._json("GET", path))
            if latency.is_known or not is_waiting:
                return latency

    # --- how sessions are kept ---

    def pin_session(self, public_id: str) -> KeptSession:
        """Let a session stand before the others; `public_id` is that of a `Session`, or of the address of its page."""
        return self._keep(public_id, "pin")

    def unpin_session(self, public_id: str) -> KeptSession:
        return self._keep(public_id, "unpin")

    def archive_session(self, public_id: str) -> KeptSession:
        """Leave a session out of the lists of pages; it can still be read and invoked."""
        return self._keep(public_id, "archive")

    def revive_session(self, public_id: str) -> KeptSession:
        """Bring an archived session back into the lists."""
        return self._keep(public_id, "revive")

    def delete_session(self, public_id: str) -> None:
        """Delete a session with all that belongs to it; for an hour `restore_session` brings it back."""
        self._json("DELETE", f"/sessions/{quote(public_id, safe='')}")

    def restore_session(self, public_id: str) -> KeptSession:
        """Undo the deletion of a session."""
        return self._keep(public_id, "restore")

    def _keep(self, public_id: str, how: str) -> KeptSession:
        return KeptSession.read(self._json("POST", f"/sessions/{quote(public_id, safe='')}/{how}"))

    # --- what is typed ahead ---

    def queue(self, agent_id: int, session_id: str) -> Queue:
        """The prompts that wait in a session, in the order in which they are sent."""
        return Queue.read(self._json("GET", self._session(agent_id, session_id, "/queue")))

    def add_queued(
        self, agent_id: int, session_id: str, prompt: str = "", *, payload: Any = None, request_key: str | None = None
    ) -> Added:
        """Put a prompt behind what the session is answering; it is a run at once where that is free."""
        headers = {"Idempotency-Key": request_key or str(uuid.uuid4())}
        body = {"prompt": prompt, "payload": payload}
        return Added.read(self._json("POST", self._session(agent_id, session_id, "/queue"), body, headers))

    def change_queued(self, agent_id: int, session_id: str, prompt_id: int, **change: Any) -> Queue:
        """Give a prompt that waits another text, body or place; `change` as in the API: prompt, payload, position."""
        path = self._session(agent_id, session_id, f"/queue/{prompt_id}")
        return Queue.read(self._json("PATCH", path, change))

    def remove_queued(self, agent_id: int, session_id: str, prompt_id: int) -> None:
        """Take back a prompt that waits."""
        self._json("DELETE", self._session(agent_id, session_id, f"/queue/{prompt_id}"))

    def clear_queue(self, agent_id: int, session_id: str) -> int:
        """Take back all that wait; returns how many there were."""
        return int(self._json("DELETE", self._session(agent_id, session_id, "/queue"))["removed_count"])

    def send_queued(self, agent_id: int, session_id: str) -> int | None:
        """Send the first of what a stop has held, the others after it; returns the number of the run, if one began."""
        number: int | None = self._json("POST", self._session(agent_id, session_id, "/queue/send"))["invocation"]
        return number

    # --- logs ---

    def logs(self, agent_id: int, session_id: str | None = None, **query: Any) -> Logs:
        """The newest log lines of an agent or of one session; `query` as in the API: limit, search, qualifier, …"""
        if session_id is None:
            return Logs.read(self._json("GET", f"/agents/{agent_id}/logs?{urlencode(query)}"))
        return Logs.read(self._json("GET", self._session(agent_id, session_id, "/logs", query)))

    def check_logs(self, agent_id: int, **query: Any) -> LogReport:
        """Why no log lines are found; `query` as in the API: qualifier, session_id, invocation."""
        return LogReport.read(self._json("GET", f"/agents/{agent_id}/logs/check?{urlencode(query)}"))

    # --- start series ---

    def start_series(self, agent_id: int, prompt: str, *, count: int, **options: Any) -> StartSeries:
        """Begin to measure an agent's start; `options` as in the API: qualifier, end_session, max_cost_usd, …"""
        body = {"prompt": prompt, "count": count, **options}
        return StartSeries.read(self._json("POST", f"/agents/{agent_id}/start-series", body))

    def series(self, series_id: int) -> StartSeries:
        return StartSeries.read(self._json("GET", f"/start-series/{series_id}"))

    def cancel_series(self, series_id: int) -> StartSeries:
        return StartSeries.read(self._json("POST", f"/start-series/{series_id}/cancel"))

    # --- taking out ---

    def export_session(self, agent_id: int, session_id: str, format: str = "markdown") -> bytes:
        """A session as a file: markdown, json or html."""
        return self._file(self._session(agent_id, session_id, "/export", {"format": format}))

    def links(self, agent_id: int, session_id: str) -> list[SharedLink]:
        """The shared links of a session, without their addresses, which nobody knows any more."""
        return [SharedLink.read(item) for item in self._json("GET", self._session(agent_id, session_id, "/links"))]

    def share(self, agent_id: int, session_id: str, days: int = 7) -> SharedLink:
        """A link by which whoever has its `url` reads the session, signed in or not, until it ends."""
        return SharedLink.read(self._json("POST", self._session(agent_id, session_id, "/links"), {"days": days}))

    def revoke_link(self, agent_id: int, session_id: str, link_id: int) -> None:
        self._json("DELETE", self._session(agent_id, session_id, f"/links/{link_id}"))

    @staticmethod
    def _session(agent_id: int, session_id: str, rest: str = "", query: Mapping[str, Any] | None = None) -> str:
        path = f"/agents/{agent_id}/sessions/{quote(session_id, safe='')}{rest}"
        return f"{path}?{urlencode(query)}" if query else path
