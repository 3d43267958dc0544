"""The life of a web process without pages: runs one stored invocation to its end, for tests that stop such a process.

python -m loom.tests.lone_engine INVOCATION_ID
"""

from __future__ import annotations

import asyncio
import sys

from loom.asgi import life  # first: it sets Django up

from apps.sessions.engine.engine import engine  # isort: skip
from apps.sessions.models import Invocation  # isort: skip


async def main(invocation_id: int) -> None:
    await life.begin()
    stream = engine.launch(await Invocation.objects.select_related("session__agent").aget(pk=invocation_id))
    assert stream.task is not None
    await stream.task
    sys.stdout.write(f"over after {len(stream.events)} events\n")
    await life.end()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
