"""What is to be run, as it is handed from the process that has looked at everything to the one that only watches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from loom.processes.child import ChildSpec


@dataclass(frozen=True)
class Plan:
    """The children, all in the environment of their supervisor.

    `first` are started first; `step`, if any, is run to its end when those are ready, beside the start of `servers`.
    `said` is said when all are ready. With `reloads` the servers start again when the source changes.
    """

    first: list[ChildSpec]
    servers: list[ChildSpec]
    step: ChildSpec | None
    said: list[str]
    reloads: bool = False

    def as_json(self) -> str:
        """All of it but for the environments."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        read = json.loads(text)
        return cls(
            first=[_spec(spec) for spec in read["first"]],
            servers=[_spec(spec) for spec in read["servers"]],
            step=None if read["step"] is None else _spec(read["step"]),
            said=read["said"],
            reloads=read["reloads"],
        )


def _spec(read: dict[str, Any]) -> ChildSpec:
    place = read.pop("listens_at")
    return ChildSpec(**read, listens_at=None if place is None else (place[0], place[1]))
