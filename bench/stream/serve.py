"""Run a command on one core: python -m bench.stream.serve --core 0 COMMAND …

With `--count 2 --port P` it is run so many times, each with `--fd N`: a socket that listens on the port, which they
share, as the supervisor of `make run` has it. SIGTERM ends them all.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess

BACKLOG = 2048


def main() -> None:
    options = argparse.ArgumentParser(description="Run a command on one core.")
    options.add_argument("--core", type=int)
    options.add_argument("--count", type=int, default=1)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("command", nargs=argparse.REMAINDER)
    chosen = options.parse_args()
    if chosen.core is not None:
        os.sched_setaffinity(0, {chosen.core})
    if chosen.count == 1:
        os.execv(chosen.command[0], chosen.command)  # noqa: S606 -- Loom's own command
    share(chosen.command, chosen.count, chosen.port)


def share(command: list[str], count: int, port: int) -> None:
    """Run the command several times behind one port, until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        number = listener.fileno()
        processes = [
            subprocess.Popen(
                [*command, "--fd", str(number)], pass_fds=[number],
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM}),
            )
            for _ in range(count)
        ]  # fmt: skip
        signal.sigwait({signal.SIGTERM})
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


if __name__ == "__main__":
    main()
