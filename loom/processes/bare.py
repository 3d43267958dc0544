"""The supervisor as it stays: python -m loom.processes.bare FD, with the plan to be read from that file descriptor.

`start_all` becomes this program after it has looked at everything: it watches for days, and needs nothing of Django.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from loom.processes.plan import Plan
from loom.processes.source import SourceWatch
from loom.processes.supervisor import StartFailedError, StopRequestedError, Supervisor


def run(plan: Plan, supervisor: Supervisor) -> None:
    """Start what is planned and look after it until the user stops it."""
    first = [supervisor.start(spec) for spec in plan.first]
    servers = [supervisor.start(spec) for spec in plan.servers]
    if plan.step is not None:
        # Beside the servers, which take longer to start and do not need it.
        supervisor.wait_until_ready(*first)
        supervisor.run_step(plan.step)
    supervisor.wait_until_ready(*first, *servers)
    for line in plan.said:
        supervisor.say(line)
    supervisor.watch(SourceWatch().changes if plan.reloads else None, servers)


def main() -> None:
    with os.fdopen(int(sys.argv[1]), encoding="utf-8") as file:
        plan = Plan.from_json(file.read())
    try:
        with suppress(StopRequestedError), Supervisor(sys.stdout) as supervisor:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, Supervisor.STOP_SIGNALS)  # blocked while there was no supervisor
            run(plan, supervisor)
    except StartFailedError as error:
        sys.exit(f"CommandError: {error}")


if __name__ == "__main__":
    main()
