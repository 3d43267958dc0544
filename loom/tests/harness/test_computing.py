from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from loom.tests.fixtures import ROOT

TESTS = """
import subprocess, sys, threading, time
import pytest

BURN = "import time\\nbegan = time.process_time()\\nwhile time.process_time() - began < 1: pass"

def test_computes():
    exec(BURN)

def test_has_it_computed():
    subprocess.run([sys.executable, "-c", BURN])

@pytest.mark.slow("shows what a reason does")
def test_says_why():
    subprocess.run([sys.executable, "-c", BURN])

def test_waits():
    threading.Event().wait(1)
"""


def run(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\ncomputing_limit_s = 0.5\n")
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "loom.tests.computing"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_what_computes_for_long_fails_unless_it_says_why(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS)

    failed = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == ["test_it.py::test_computes", "test_it.py::test_has_it_computed"]
    assert "more than the 0.5 s of computing_limit_s" in done.stdout


def test_a_mark_without_a_reason_is_refused(tmp_path: Path) -> None:
    done = run(tmp_path, TESTS.replace('"shows what a reason does"', '" "'))

    assert done.returncode == 4
    assert "test_it.py::test_says_why: slow needs the reason" in done.stderr
