"""What the client does with latency benches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from loom_client.models import _Answer
from loom_client.planned import Estimate
from loom_client.wire import Wire


@dataclass(frozen=True, slots=True)
class ListedBench(_Answer):
    """Two targets measured against each other, without what was found."""

    id: int
    name: str
    owner: str
    state: str
    message: str
    metric: str
    start: str
    rungs: list[int]
    pairs: int
    warm_up: int
    stops_early: bool
    seed: int
    max_cost_usd: float
    created_at: str
    finished_at: str | None

    @property
    def is_running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class Bench(ListedBench):
    """A bench and what it has found so far, as the API describes it; `is_found` is None while nothing can be said."""

    outcome: str
    run_count: int
    done: int
    cost_usd: float
    unpriced_count: int
    targets: list[dict[str, Any]]
    is_found: bool | None
    verdict: str
    detectable_ms: float | None
    results: list[dict[str, Any]]


class BenchCalls(Wire):
    """Benches of two targets, an agent's id and an endpoint each; `options` as in the API: rungs, pairs, start, …"""

    def start_bench(self, first: tuple[int, str], second: tuple[int, str], prompt: str, **options: Any) -> Bench:
        """Begin a bench; it goes on by itself. Differences are told as second − first."""
        return Bench.read(self._json("POST", "/benches", _asked(first, second, prompt, options)))

    def estimate_bench(self, first: tuple[int, str], second: tuple[int, str], prompt: str, **options: Any) -> Estimate:
        """What `start_bench` with the same options would cost at most."""
        return Estimate.read(self._json("POST", "/benches/estimate", _asked(first, second, prompt, options)))

    def benches(self, **query: Any) -> list[ListedBench]:
        """The newest first; `query` as in the API: state, limit, before."""
        asked = urlencode({name: value for name, value in query.items() if value is not None})
        return [ListedBench.read(item) for item in self._json("GET", f"/benches?{asked}")]

    def bench(self, bench_id: int) -> Bench:
        """What a bench has found so far."""
        return Bench.read(self._json("GET", f"/benches/{bench_id}"))

    def cancel_bench(self, bench_id: int) -> Bench:
        return Bench.read(self._json("POST", f"/benches/{bench_id}/cancel"))


def _asked(first: tuple[int, str], second: tuple[int, str], prompt: str, options: dict[str, Any]) -> dict[str, Any]:
    targets = {
        name: {"agent_id": agent_id, "qualifier": qualifier}
        for name, (agent_id, qualifier) in (("first", first), ("second", second))
    }
    return {**targets, "prompt": prompt, **options}
