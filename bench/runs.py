"""What a run costs beside its tokens, from its prompt to its end: python -m bench.runs [--rounds 5] [--against COMMIT]

The engine of a process of its own, against the source of `bench.stream`, over a fresh SQLite file: a prompt with an
answer of one token after the other, each in a session of its own, without a viewer. With `--against` the same is done
with another commit's tree, in turns. Prints, for each tree, the median of the rounds in milliseconds of processor time
a run, and of those the least; the exit status is 1 where a run did not complete.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.stream.servers import TOP, Cores, plain_environment, source

WARM_UP = 20


def measured(tree: Path, source_port: int, runs: int) -> float:
    """Milliseconds of processor time a run of the engine of a tree."""
    with tempfile.TemporaryDirectory() as folder:
        environment = plain_environment() | {
            "LOOM_ENVIRONMENT_FILE": "", "LOOM_AWS": "emulator", "EMULATOR_PORT": str(source_port), "DEBUG": "0",
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40, "DATABASE_URL": f"sqlite:///{folder}/loom.db",
            "DJANGO_SETTINGS_MODULE": "loom.settings", "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'packages'}",
        }  # fmt: skip
        command = [sys.executable, str(TOP / "bench" / "runs.py"), "--runs", str(runs), "--here"]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return float(done.stdout.splitlines()[-1])


def can_take(start: Callable[..., Any]) -> bool:
    """Whether the engine of a tree knows of a queue."""
    return "takes" in inspect.signature(start).parameters


async def run_all(runs: int) -> float:
    """The runs in this process, one after the other."""
    from asgiref.sync import sync_to_async  # noqa: PLC0415 -- after setup

    from apps.core.models import Process  # noqa: PLC0415
    from apps.core.running import processes  # noqa: PLC0415
    from apps.sessions import invoking  # noqa: PLC0415
    from apps.sessions.engine.engine import engine, follow  # noqa: PLC0415
    from apps.sessions.models import Invocation, Session  # noqa: PLC0415

    process = await sync_to_async(processes.register)(Process.Kind.WEB)
    # As a web process has it, which takes runs out of the queue as well.
    await engine.start(process.pk, **({"takes": Process.Kind.WEB, "room": 10} if can_take(engine.start) else {}))
    await engine.warm_up()
    session_ids = [pk async for pk in Session.objects.values_list("pk", flat=True)]

    def invoke(session_id: int) -> int:
        session = Session.objects.select_related("agent__runtime").get(pk=session_id)
        return invoking.invoke(session=session, prompt="0 1", request_key=f"key {session_id}").pk

    began = 0.0
    for count, session_id in enumerate(session_ids):
        if count == WARM_UP:
            began = time.process_time()
        run_id = await sync_to_async(invoke, thread_sensitive=False)(session_id)
        async for _ in follow(run_id):
            pass
    spent = time.process_time() - began
    await engine.close()
    completed = await Invocation.objects.filter(status="completed", number=1).acount()
    if completed != runs + WARM_UP:
        raise SystemExit(f"{completed} runs of {runs + WARM_UP} completed")
    return spent / runs * 1000


def work(runs: int) -> None:
    """Prepare a database and measure: what `measured` starts, with the modules of the tree."""
    import django  # noqa: PLC0415 -- with the other tree's settings

    django.setup()
    from bench.stream.seed import seed  # noqa: PLC0415

    seed(runs + WARM_UP)
    print(asyncio.run(run_all(runs)))


def tree_of(commit: str, folder: Path) -> Path:
    """The files of another commit."""
    archive = subprocess.run(["git", "archive", commit], cwd=TOP, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--against", default="")
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.here:
        work(given.runs)
        return
    with tempfile.TemporaryDirectory() as folder, source(Cores(None, None)) as (port, _):
        trees = {"here": TOP}
        if given.against:
            trees[given.against[:7]] = tree_of(given.against, Path(folder))
        costs: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(given.rounds):
            for name, tree in trees.items():
                costs[name].append(measured(tree, port, given.runs))
    for name, found in costs.items():
        each = " ".join(f"{cost:.1f}" for cost in found)
        print(f"{name:>8}: {statistics.median(found):.1f} ms a run, the least {min(found):.1f} ({each})")


if __name__ == "__main__":
    main()
