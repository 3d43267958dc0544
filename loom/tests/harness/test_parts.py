from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loom.tests.fixtures import ROOT
from loom.tests.parts import parts
from loom.tests.running import Running, wait_until

# As .ci/run looks for them.
CLOSING_LINE = re.compile(r"^=+ .*(?:passed|failed).* =+$", re.MULTILINE)

RUN = """
import pathlib, sys
from loom.tests.parts import Part, run_parts
folder = pathlib.Path(sys.argv[1])
plain = ["-c", "/dev/null", "-p", "no:django", "-p", "no:cacheprovider", "-p", "loom.tests.plugin"]
chosen = [Part(file.stem, [*plain, str(file)]) for file in sorted(folder.glob("*.py"))]
sys.exit(run_parts(chosen, 2, folder / "logs"))
"""

# Each waits for the other, so that they pass only side by side.
MEETS = """
import pathlib, threading
def test_it():
    here = pathlib.Path(__file__)
    here.with_suffix(".here").touch()
    pause = threading.Event()
    for _ in range(600):
        if all(file.with_suffix(".here").exists() for file in here.parent.glob("meets*.py")):
            return
        pause.wait(0.1)
    raise AssertionError("nobody came")
"""


WAITS = """
import pathlib, threading
import pytest
folder = pathlib.Path(__file__).parent
@pytest.fixture
def tidy():
    (folder / "begun").touch()
    yield
    (folder / "tidied").touch()
def test_it(tidy):
    threading.Event().wait(600)
"""


def run(folder: Path, **tests: str) -> subprocess.CompletedProcess[str]:
    for name, text in tests.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-c", RUN, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_parts_run_side_by_side_and_say_their_closing_lines(tmp_path: Path) -> None:
    done = run(tmp_path, meets_one=MEETS, meets_two=MEETS)

    assert done.returncode == 0, done.stdout
    assert len(CLOSING_LINE.findall(done.stdout)) == 2
    assert "--- meets_one passed: " in done.stdout and "--- meets_two passed: " in done.stdout
    assert "test session starts" not in done.stdout
    assert "test session starts" in (tmp_path / "logs" / "meets_one.log").read_text()


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        ("def test_it():\n    assert 'apples' == 'pears'\n", "AssertionError: assert 'apples' == 'pears'"),
        ("", "no tests ran"),
        ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    ],
    ids=["a test fails", "nothing is tested", "nothing can be imported"],
)
def test_one_part_that_fails_is_shown_whole_and_fails_them_all(tmp_path: Path, bad: str, shown: str) -> None:
    done = run(tmp_path, bad=bad, good="def test_it(): pass\n")

    assert done.returncode == 1
    assert re.search(r"^--- bad failed with exit status \d: ", done.stdout, re.MULTILINE)
    assert shown in done.stdout and "test session starts" in done.stdout
    assert "--- good passed: " in done.stdout


def test_skipped_tests_are_named_where_all_went_well(tmp_path: Path) -> None:
    done = run(tmp_path, skips="import pytest\n@pytest.mark.skip(reason='no pears')\ndef test_it(): pass\n")

    assert "1 skipped" in done.stdout


def test_a_signal_ends_every_part_in_good_order(tmp_path: Path) -> None:
    (tmp_path / "waits.py").write_text(WAITS)
    with Running("-c", RUN, str(tmp_path)) as running:
        wait_until((tmp_path / "begun").exists, "the test has begun")
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.wait_for_end() == 1
        assert (tmp_path / "tidied").exists()


def test_every_test_is_in_one_part_but_for_deep_ones() -> None:
    known = parts()
    within = {name: arguments[2] for name, arguments in known.items() if arguments[0] == "loom"}
    for values in itertools.product([False, True], repeat=4):
        marks = dict(zip(("whole", "browser", "services", "deep"), values, strict=True))
        chosen = [name for name, expression in within.items() if eval(expression, {}, marks)]  # noqa: S307 -- our own
        assert len(chosen) == (0 if marks["deep"] else 1), marks
    assert "loom" not in known["apps"] and "apps" in known["apps"]
