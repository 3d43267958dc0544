"""Loom as it is measured: this tree or an older one, on a seeded database of which every cell gets a copy."""

from __future__ import annotations

import copy
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.stream.servers import TOP, Cores, NotStartedError, free_port, on_core, plain_environment, running


@dataclass(frozen=True, slots=True)
class Tree:
    """The code of one Loom: where it is, and the interpreter that has what it needs."""

    name: str
    top: Path
    python: str


HERE = Tree("here", TOP, sys.executable)


def tree_of(commit: str, folder: Path, python: str) -> Tree:
    """The tree of a commit, unpacked below `folder`. It brings its own seed and runs in an interpreter that exists."""
    archive = subprocess.run(["git", "-C", str(TOP), "archive", commit], capture_output=True, check=False)
    if archive.returncode:
        raise NotStartedError(archive.stderr.decode())
    top = folder / "tree"
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(top, filter="data")
    return Tree("before", top, python)


@dataclass(frozen=True, slots=True)
class Running:
    """A web process at work: the ids of its processes, and the environment in which commands find it."""

    pids: list[int]
    environment: dict[str, str]


class LoomBed:
    """A seeded database of which every cell gets a copy, and the means to start Loom on it."""

    def __init__(
        self, tree: Tree, folder: Path, source_port: int, session_count: int, cores: Cores, *, has_files: bool = True
    ) -> None:
        self.tree = tree
        self.folder = folder / tree.name
        self.folder.mkdir()
        self._cores = cores
        self.port = free_port()
        self._environment = plain_environment() | {
            "PYTHONPATH": str(tree.top / "packages"),  # before what is installed beside the interpreter
            "LOOM_ENVIRONMENT_FILE": "",
            "LOOM_AWS": "emulator",
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40,
            "DEBUG": "0",
            "AUTH_DISABLED": "0",
            "EMULATOR_PORT": str(source_port),
            "BACKEND_PORT": str(self.port),
        }
        if has_files:  # what a browser asks for, and `manage.py web` will not do without
            self._environment["STATIC_ROOT"] = str(self.folder / "static")
            self._run("manage.py", "collectstatic", "--no-input", "--verbosity=0")
        seeded = json.loads(self._run("-m", "bench.stream.seed", "--sessions", str(session_count)).splitlines()[-1])
        self._argv: list[str] = seeded["argv"]
        self.cookie: str = seeded["cookie"]
        self.agent_id: int = seeded["agent_id"]
        self.sessions: list[dict[str, str]] = seeded["sessions"]

    def _database(self, path: Path) -> dict[str, str]:
        return self._environment | {"DATABASE_URL": f"sqlite:///{path}"}

    def _run(self, *arguments: str) -> str:
        """A program of the tree on the seeded database itself."""
        done = subprocess.run(
            [self.tree.python, *arguments], cwd=self.tree.top, env=self._database(self.folder / "template.db"),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise NotStartedError(done.stderr[-2000:])
        return done.stdout

    def with_setting(self, name: str, value: str) -> LoomBed:
        """The same, its server started with this setting.

        Raises NotStartedError where the tree does not know the setting.
        """
        bed = copy.copy(self)
        bed._environment = self._environment | {name: value}
        started = json.loads(bed._run("-m", "bench.stream.seed", "--start-only").splitlines()[-1])
        if name not in started["settings"]:
            raise NotStartedError(f"there is no setting {name}")
        bed._argv = started["argv"]
        return bed

    @contextmanager
    def started(self) -> Iterator[Running]:
        """Loom's web process on a copy of the seeded database."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            database = Path(folder) / "loom.db"
            for part in self.folder.glob("template.db*"):
                shutil.copy(part, database.with_name(part.name.replace("template", "loom")))
            serve = [self.tree.python, "-m", "bench.stream.serve", *on_core(self._cores.server)]
            environment = self._database(database)
            with running(
                [*serve, *self._argv], environment, self.port, self.folder / "loom.log", self.tree.top
            ) as pids:
                yield Running(pids, environment)
