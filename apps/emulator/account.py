"""The emulated account: everything that one emulator holds."""

from __future__ import annotations

from apps.emulator.answer_memory import AnswerMemory
from apps.emulator.clock import Clock
from apps.emulator.config import EmulatorConfig, read_shifts
from apps.emulator.environments.environments import Environments
from apps.emulator.faults import FaultBoard
from apps.emulator.ground_truth import Ledger
from apps.emulator.logs.store import LogStore
from apps.emulator.page_tokens import PageTokens
from apps.emulator.quotas import Quotas
from apps.emulator.registry import Registry

ACCOUNT_ID = "123456789012"


class EmulatedAccount:
    """State of the emulator, built once per process; nothing of it outlives the process."""

    def __init__(self, config: EmulatorConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.account_id = ACCOUNT_ID
        self.clock = Clock()
        self.registry = Registry(clock=self.clock, account_id=ACCOUNT_ID, time_scale=config.time_scale)
        self.logs = LogStore(self.clock)
        self.page_tokens = PageTokens(self.clock)
        self.answers = AnswerMemory()
        self.ledger = Ledger()
        self.faults = FaultBoard()
        self.shifts = read_shifts(config.shifts)
        self.quotas = Quotas(config.has_quotas)
        self.environments = Environments(
            config=config, seed=seed, clock=self.clock, logs=self.logs, quotas=self.quotas, faults=self.faults
        )
