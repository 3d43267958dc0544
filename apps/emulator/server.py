"""Run the emulator: a uvicorn server on loopback, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from apps.emulator.account import EmulatedAccount
from apps.emulator.application import create_application
from apps.emulator.config import EmulatorConfig, EmulatorConfigError
from apps.emulator.fleet.demo import register_demo
from apps.emulator.fleet.real_agents import register_real_agents

__all__ = ["EmulatorConfig", "EmulatorConfigError", "build_account", "serve"]

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def build_account(config: EmulatorConfig) -> EmulatedAccount:
    """Make the account with its demo agents and the real ones that the configuration names."""
    seed = config.seed if config.seed is not None else random.SystemRandom().randrange(1_000_000)
    account = EmulatedAccount(config, seed)
    register_demo(account)
    register_real_agents(account)
    return account


def serve(config: EmulatorConfig, *, print_port: bool = False) -> None:
    """Serve until SIGTERM or SIGINT; open streams are cut then. Blocks; call it from the main thread.

    Prints `emulator listening on http://127.0.0.1:PORT seed=…` to stdout once requests are accepted. Raises
    EmulatorConfigError when the port is taken or a runtime cannot be read.
    """
    account = build_account(config)
    listener = _listen(config)
    port = listener.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    lines = [f"emulator listening on http://{host}:{port} seed={account.seed}", *([str(port)] if print_port else [])]
    server = _Server(
        uvicorn.Config(
            create_application(account),
            log_level="critical",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        ),
        account,
        "\n".join(lines) + "\n",
    )
    server.run(sockets=[listener])


def _listen(config: EmulatorConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise EmulatorConfigError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error
    return listener


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit status 0 on a signal, with streams open or not."""

    def __init__(self, config: uvicorn.Config, account: EmulatedAccount, ready_text: str) -> None:
        super().__init__(config)
        self._account = account
        self._ready_text = ready_text

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(self._ready_text)
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._account.environments.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal without raising it again afterwards, which is what uvicorn would do."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.should_exit = True
