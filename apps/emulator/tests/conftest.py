from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.emulator.tests.running_emulator import RunningEmulator, running_emulator


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[RunningEmulator]:
    """A quick emulator whose log lines are found at once, for every test that does not need one of its own."""
    arguments = ("--seed", "7", "--time-scale", "0.02", "--log-delay-scale", "0", "--no-quotas")
    with running_emulator(*arguments) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator: RunningEmulator) -> Iterator[RunningEmulator]:
    """The shared emulator, without orders left behind."""
    yield shared_emulator
    shared_emulator.http.delete("/_emulator/faults").raise_for_status()
