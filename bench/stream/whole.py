"""The whole measurement: the comparisons first; the search for the most streams takes the time that is left."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from bench.stream.beds import LoomBed
from bench.stream.commands import command_cpu
from bench.stream.doors import Bench, DirectDoor, Door, LoomDoor, PeerDoor
from bench.stream.servers import NotStartedError, Peer
from bench.stream.suite import FAN_OUT, STALLED, UNSTALLED, Runner, Size, alone, gentle, load, paint

PEERS = {"fastapi_sync": "FastAPI, sync generator", "fastapi_queue": "FastAPI, thread and queue"}
LADDERS = ("loom", "fastapi_queue", "fastapi_sync")
"""Whose most streams are looked for."""
OF_THE_PAGE = ("loom", "before")
SETTINGS = {"two": ("WEB_PROCESSES", "2"), "daphne": ("LOOM_SERVER", "daphne")}
"""Other ways to serve the page, each a setting, compared with one process of uvicorn."""
MOST_SERVED_ROUNDS = 2

Found = dict[str, Any]


def make_doors(bench: Bench, here: LoomBed, before: LoomBed | None) -> dict[str, Door]:
    """Every way to an answer, in the order of a round: what is compared comes one after another."""
    doors: list[Door] = []
    for door, name, title in (("socket", "", "page"), ("sse", "_api", "API")):
        doors.append(LoomDoor(bench, here, door, f"loom{name}", f"Loom, {title}"))
        if before is not None:
            doors.append(LoomDoor(bench, before, door, f"before{name}", f"Loom before, {title}"))
    doors.append(DirectDoor(bench))
    folder = here.folder
    doors += [
        PeerDoor(bench, name, title, Peer(name, folder, bench.source_port, bench.cores))
        for name, title in PEERS.items()
    ]
    return {door.name: door for door in doors}


class Whole:
    """One run of everything, kept in `found` as it goes on."""

    def __init__(
        self, bench: Bench, here: LoomBed, before: LoomBed | None, size: Size, say: Callable[[str], None], found: Found
    ) -> None:
        self._bench = bench
        self._here = here
        self._before = before
        self._size = size
        self._found = found
        self._runner = Runner(size.limit_s, size.repeat_s, say)
        self._doors = make_doors(bench, here, before)
        self._say = say

    def run(self) -> None:
        size, found, runner = self._size, self._found, self._runner
        every, pages = list(self._doors.values()), self._named(OF_THE_PAGE)
        found["load"] = runner.interleaved(every, load(size), "load", size.rounds)
        found["ttft"] = runner.interleaved(every, gentle(size), "first token", size.rounds)
        found["alone"] = runner.interleaved(pages, alone(size), "alone", size.rounds)
        found["fan_out"] = runner.interleaved(pages, FAN_OUT, "fan-out", size.rounds)
        self._commands()
        self._crowds()
        found["served"] = {name: self._served(name) for name in SETTINGS}
        page = self._doors["loom"]
        found["stalled"] = runner.measure(page, STALLED, "stalled")
        found["unstalled"] = runner.measure(page, UNSTALLED, "none stalled")
        found["paint"] = paint(self._here, size, self._bench.cores.tools)
        self._ladders()

    def _named(self, names: tuple[str, ...]) -> list[Door]:
        return [self._doors[name] for name in names if name in self._doors]

    def _commands(self) -> None:
        beds = [bed for bed in (self._here, self._before) if bed is not None]
        self._found["command"] = command_cpu(beds, self._bench.cores.tools, self._size.commands)
        for name, seconds in self._found["command"].items():
            self._say(f"command      {name}: {', '.join(f'{one:.2f}' for one in seconds)} s")

    def _crowds(self) -> None:
        """What a token costs among so many streams; the levels of the search for the most are the same cells."""
        self._found["crowds"] = {}
        for count in self._size.crowds:
            names = OF_THE_PAGE if count in self._size.before_crowds else OF_THE_PAGE[:1]
            self._found["crowds"][str(count)] = {
                door.name: self._runner.level(door, count) for door in self._named(names)
            }

    def _served(self, name: str) -> Found:
        """The page under load by another way to serve, beside the usual one; a `reason` where it did not serve.

        Where several processes serve, also with as many streams for each of them: a process with fewer streams sends
        their frames closer to one another.
        """
        try:
            bed = self._here.with_setting(*SETTINGS[name])
            served = LoomDoor(self._bench, bed, "socket", name, f"Loom, page, {name}")
            cells = [("loom", self._doors["loom"], 1), (name, served, 1)]
            if name == "two":
                cells.append(("two_each", served, 2))
            found: dict[str, list[Found]] = {key: [] for key, _, _ in cells}
            for _ in range(min(self._size.rounds, MOST_SERVED_ROUNDS)):
                for key, door, times in cells:
                    found[key].append(self._runner.measure(door, load(self._size, times), f"served {key}"))
        except (NotStartedError, subprocess.TimeoutExpired) as error:
            reason = str(error).strip().splitlines()[-1]
            self._say(f"{name}: left out, {reason}")
            return {"reason": reason}
        return {"rounds": found}

    def _ladders(self) -> None:
        self._found["ladder"] = {}
        for name, first in zip(LADDERS, self._size.first_levels, strict=True):
            known = {int(count): ways[name] for count, ways in self._found["crowds"].items() if name in ways}
            self._found["ladder"][name] = self._runner.ladder(
                self._doors[name], first, known, is_fine=self._size.has_fine_steps
            )
