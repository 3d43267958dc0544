"""The events of running answers, from the process that has them to another one on this machine that follows.

Every process that runs agents listens on a Unix socket, named by its id in the registry, in a folder that only its own
user may enter. Who follows a run says which one and from where, and is sent its events as they happen. That is a faster
way to the same events, under the same numbers: where it is not there, or ends, the recording tells what is missing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import stat
import struct
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, cast
from uuid import UUID

from apps.sessions.engine.run_stream import LiveStream
from loom_events.recorded import RecordedEvent

logger = logging.getLogger(__name__)

GATHER_S = 0.02  # pages get a frame every 33 ms at most
PART_EVENTS = 1000
SIGN_EVERY_S = 1.0
GONE_AFTER_S = 3.0
YOUNG_S = 60.0
PROBE_S = 0.2
HERE: list[RecordedEvent] = []  # the first answer: it runs here
_HEAD = struct.Struct("!I")
_PRIVATE = 0o700


def folder() -> Path:
    """Where the sockets of this user's processes are. Raises OSError where it is somebody else's, or open to others."""
    path = Path(tempfile.gettempdir()) / f"loom-{os.getuid()}"
    path.mkdir(mode=_PRIVATE, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) != _PRIVATE:
        raise PermissionError(f"{path} is not a folder of this user alone")
    return path


class Relay:
    """What a process offers: its running answers, to whoever may enter its folder."""

    def __init__(self, stream: Callable[[int], LiveStream | None]) -> None:
        """`stream` gives the run of an id, where it is here."""
        self._stream = stream
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self, process_id: UUID) -> None:
        """Begin to listen; where that cannot be, others follow by the recording."""
        try:
            await asyncio.to_thread(_remove_leftovers)
            path = folder() / process_id.hex
            self._server = await asyncio.start_unix_server(self._take, path)
        except OSError as error:
            logger.warning("answers are not relayed to other processes error=%s", type(error).__name__)
        else:
            self._path = path

    def renew(self, process_id: UUID) -> None:
        """Go on under another id."""
        if self._path is not None:
            with suppress(OSError):
                self._path = self._path.rename(self._path.with_name(process_id.hex))

    async def close(self) -> None:
        if self._server is None or self._path is None:
            return
        self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)
        self._path.unlink(missing_ok=True)
        self._server = self._path = None

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer), name="relay")
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            wanted = await _receive(reader)
            stream = self._stream(int(wanted["run"]))
            if stream is None:
                return
            await _send(writer, HERE)
            async for events in stream.follow(int(wanted["after"]), pause_s=SIGN_EVERY_S):
                for at in range(0, max(len(events), 1), PART_EVENTS):
                    await _send(writer, events[at : at + PART_EVENTS])
                await asyncio.sleep(GATHER_S)
        except (OSError, asyncio.IncompleteReadError):
            return  # who followed is gone
        finally:
            writer.close()


class Relayed:
    """A run of another process of this machine, as that process tells it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, process_id: UUID | None, invocation_id: int, after: int) -> Self | None:
        """Ask the process for the events above a number; None where it is not to be reached, or has no such run."""
        if process_id is None:
            return None
        try:
            path = folder() / process_id.hex
            reader, writer = await asyncio.open_unix_connection(path)
        except OSError:
            return None
        relayed = cls(reader, writer)
        try:
            async with asyncio.timeout(GONE_AFTER_S):
                await _send(writer, {"run": invocation_id, "after": after})
                await _receive(reader)
        except (OSError, asyncio.IncompleteReadError):
            relayed.close()
            return None
        return relayed

    async def events(self, pause_s: float | None) -> AsyncGenerator[list[RecordedEvent], None]:
        """Each list of events as it comes, until the run ends there, and an empty one after so long a silence.

        Also until that process does not even say any more that there is silence: it may have been stopped, and its run
        be over without it.
        """
        loop = asyncio.get_running_loop()
        silent_since = loop.time()
        try:
            while True:
                async with asyncio.timeout(GONE_AFTER_S):
                    events = cast(list[RecordedEvent], await _receive(self._reader))
                if events or (pause_s is not None and loop.time() - silent_since >= pause_s):
                    silent_since = loop.time()
                    yield events
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.close()

    def close(self) -> None:
        self._writer.close()


async def _send(writer: asyncio.StreamWriter, value: object) -> None:
    data = json.dumps(value, separators=(",", ":")).encode()
    writer.write(_HEAD.pack(len(data)) + data)
    await writer.drain()


async def _receive(reader: asyncio.StreamReader) -> Any:
    (length,) = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    return json.loads(await reader.readexactly(length))


def _remove_leftovers() -> None:
    """Remove the sockets of killed processes, where nobody answers; those that have just begun may not answer yet."""
    for path in folder().iterdir():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, suppress(OSError):
            probe.settimeout(PROBE_S)
            if time.time() - path.lstat().st_mtime < YOUNG_S:
                continue
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
