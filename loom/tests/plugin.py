"""Loaded by pytest before Django reads its settings: tests take nothing from the developer's environment.

Many tests start Python. Without a cache of bytecode each such process compiles Django, boto3 and Loom anew, which takes
longer than most tests: it is written even where the environment forbids it.

`LOOM_NO_SKIP=1` (set by continuous integration) turns a skipped test into a failed run.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType

import hypothesis
import pytest

from loom.tests.leftovers import remove_leftovers

pytest_plugins = ["loom.tests.computing"]
# Fixtures of a running Loom: several processes that mostly wait, see loom.tests.parts.
WHOLE = {"loom", "loom_on_services"}

for name in [name for name in os.environ if name.startswith(("AWS_", "LOOM_AWS"))]:
    del os.environ[name]
os.environ.update(
    {
        "LOOM_ENVIRONMENT_FILE": "",
        "LOOM_AWS": "emulator",
        "SECRET_KEY": "only-for-tests-" + "x" * 40,
        "SECRET_ENCRYPTION_KEYS": "x" * 43 + "=",
        "DEBUG": "1",
        "AUTH_DISABLED": "0",
        "DATABASE_URL": os.environ.get("LOOM_TEST_DATABASE_URL", "sqlite:///build/unused.db"),
        "LOG_LEVEL": "warning",
        "BACKEND_HOST": "127.0.0.1",
    }
)
sys.dont_write_bytecode = False
for name in (
    "PYTHONDONTWRITEBYTECODE",
    "REDIS_URL",
    "ALLOWED_HOSTS",
    "CONTENT_RETENTION_DAYS",
    "PUBLIC_URL",
    "EMAIL_URL",
    "ALLOWED_NETWORKS",
    "EMULATOR_RUNTIMES",
    "EMULATOR_OPTIONS",
):
    os.environ.pop(name, None)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell has its background jobs ignore Ctrl-C, what they start inherits that, and tests press it there.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: a second one, which may come to a whole group of processes as well, must not break off the ending."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


# Who ends a run, as a time limit does, would leave servers behind that fixtures have started.
signal.signal(signal.SIGTERM, _interrupt)
BUILD = Path(__file__).resolve().parent.parent.parent / "build"
BUILD.mkdir(exist_ok=True)
# A busy machine is no defect of an example.
hypothesis.settings.register_profile(
    "loom", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("loom")


def pytest_itemcollected(item: pytest.Item) -> None:
    if WHOLE & set(getattr(item, "fixturenames", ())):
        item.add_marker("whole")


def pytest_collection_finish() -> None:
    """What is imported by now stays: it is not to be looked through again with every collection of garbage."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> object:
    result = yield
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("LOOM_NO_SKIP") == "1" and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return result


def pytest_unconfigure() -> None:
    """After the last fixture; a thread that still has the test database open ends with this process."""
    remove_leftovers(BUILD)
