"""What the load client is to do, as it passes between processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from bench.stream.machine import Watched


@dataclass(frozen=True, slots=True)
class Stream:
    """One viewer. Without a body it follows an answer that another one asked for; a stalled one never reads."""

    path: str
    body: str = ""
    is_stalled: bool = False


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A cell from the client's side: connect all, start them evenly over `ramp_s`, settle, then measure a window."""

    door: str
    port: int
    token_count: int
    streams: list[Stream]
    watched: Watched
    headers: dict[str, str] = field(default_factory=dict)
    warm_streams: list[Stream] = field(default_factory=list)
    ramp_s: float = 1.0
    settle_s: float = 1.0
    window_s: float = 4.0
    patience_s: float = 10.0
    core: int | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LoadPlan:
        values = json.loads(text)
        values["watched"] = Watched(**values["watched"])
        for name in ("streams", "warm_streams"):
            values[name] = [Stream(**stream) for stream in values[name]]
        return cls(**values)
