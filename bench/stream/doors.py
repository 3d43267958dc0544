"""The ways to an answer that are compared: Loom's page and API, and the peers. Each can carry out a cell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bench.stream.beds import LoomBed
from bench.stream.machine import Watched
from bench.stream.outcome import Outcome
from bench.stream.plan import LoadPlan, Stream
from bench.stream.servers import TOP, Cores, NotStartedError, Peer, on_core, plain_environment

WARM_STREAMS = 3
WARM_PROMPT = "100 20"
CELL_PATIENCE_S = 180.0


@dataclass(frozen=True, slots=True)
class Cell:
    """What to ask of a way: so many answers of so many tokens, and when to measure. Times in seconds.

    A negative `settle_s` lets the window begin with the first streams. `followers` viewers watch the answer of the
    first stream; `stalled` viewers ask as well and never read. `padding` makes tokens long.
    """

    streams: int
    rate: float
    ramp_s: float
    settle_s: float
    window_s: float
    followers: int = 0
    stalled: int = 0
    padding: int = 0
    tokens: int | None = None
    patience_s: float = 30.0

    @property
    def token_count(self) -> int:
        """As told, or enough for the first stream to go on to the end of the window."""
        if self.tokens is not None:
            return self.tokens
        return int(self.rate * (self.ramp_s + self.settle_s + self.window_s + 0.3))

    @property
    def prompt(self) -> str:
        return f"{self.rate:g} {self.token_count}" + (f" {self.padding}" if self.padding else "")


class Door(Protocol):
    """A way to an answer."""

    name: str
    title: str

    def measure(self, cell: Cell) -> Outcome:
        """Start the server afresh and carry out the cell."""


class Bench:
    """What all ways share: the source and the cores."""

    def __init__(self, source_port: int, source_pid: int, cores: Cores) -> None:
        self.source_port = source_port
        self.source_pid = source_pid
        self.cores = cores

    def plan(self, cell: Cell, door: str, port: int, pids: list[int]) -> LoadPlan:
        return LoadPlan(
            door=door, port=port, token_count=cell.token_count, streams=[],
            watched=Watched(pids, self.source_pid, os.getpid()),
            ramp_s=cell.ramp_s, settle_s=cell.settle_s, window_s=cell.window_s, patience_s=cell.patience_s,
            core=self.cores.tools,
        )  # fmt: skip

    @staticmethod
    def carry_out(module: str, plan: LoadPlan, *options: str) -> Outcome:
        """Run a program that takes a plan and gives an outcome."""
        done = subprocess.run(
            [sys.executable, "-m", module, *options], cwd=TOP, env=plain_environment(), input=plan.to_json(),
            capture_output=True, text=True, timeout=CELL_PATIENCE_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotStartedError(done.stderr[-2000:])
        return Outcome.from_json(json.loads(done.stdout))


class LoomDoor:
    """Loom as shipped, by the socket of a session's page or by the JSON API."""

    def __init__(self, bench: Bench, bed: LoomBed, door: str, name: str, title: str) -> None:
        self._bench = bench
        self._bed = bed
        self._door = door
        self.name = name
        self.title = title

    def measure(self, cell: Cell) -> Outcome:
        count = cell.streams + cell.stalled
        viewers = [self._stream(number, cell.prompt, number >= cell.streams) for number in range(count)]
        viewers += [replace(viewers[0], body="") for _ in range(cell.followers)]
        with self._bed.started() as server:
            plan = replace(
                self._bench.plan(cell, self._door, self._bed.port, server.pids),
                streams=viewers,
                warm_streams=[self._stream(-1 - number, WARM_PROMPT) for number in range(WARM_STREAMS)],
                headers={"Cookie": self._bed.cookie, "Origin": f"http://127.0.0.1:{self._bed.port}"},
            )
            return self._bench.carry_out("bench.stream.load", plan)

    def _stream(self, number: int, prompt: str, is_stalled: bool = False) -> Stream:
        session = self._bed.sessions[number]
        body: dict[str, Any] = {"prompt": prompt}
        if self._door == "socket":
            path = f"/ws/sessions/{session['public_id']}/?page=2"
            body |= {"action": "invoke", "request_key": str(uuid.uuid4())}
        else:
            path = f"/api/agents/{self._bed.agent_id}/invoke"
            body |= {"session_id": session["runtime_session_id"]}
        return Stream(path, json.dumps(body), is_stalled)


class PeerDoor:
    """A peer that serves server-sent events."""

    def __init__(self, bench: Bench, name: str, title: str, peer: Peer) -> None:
        self._bench = bench
        self.name = name
        self.title = title
        self._peer = peer

    def measure(self, cell: Cell) -> Outcome:
        path = "/invoke"
        with self._peer.started() as pids:
            plan = replace(
                self._bench.plan(cell, "sse", self._peer.port, pids),
                streams=cell.streams * [Stream(path, json.dumps({"prompt": cell.prompt}))],
                warm_streams=WARM_STREAMS * [Stream(path, json.dumps({"prompt": WARM_PROMPT}))],
            )
            return self._bench.carry_out("bench.stream.load", plan)


class DirectDoor:
    """boto3 in threads and no server: the caller's own process reads the answers."""

    name = "direct"
    title = "boto3, no server"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def measure(self, cell: Cell) -> Outcome:
        plan = replace(
            self._bench.plan(cell, "direct", self._bench.source_port, []),
            streams=cell.streams * [Stream("", json.dumps({"prompt": cell.prompt}))],
            warm_streams=WARM_STREAMS * [Stream("", json.dumps({"prompt": WARM_PROMPT}))],
            core=None,
        )
        return self._bench.carry_out("bench.peers.direct", plan, *on_core(self._bench.cores.server))
