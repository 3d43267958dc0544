"""The wheel `loom-cli`: built without a network, the same each time, and enough by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import loom_build
from apps.aws.tests.loopback import loopback
from loom.tests.fixtures import ROOT

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
# Everything that came with the wheel, the modules of every package included; then a call.
VISIT = """
import importlib, importlib.metadata, importlib.util, json, pkgutil, sys
files = importlib.metadata.files("loom-cli")
packages = sorted({file.parts[0] for file in files if file.name == "__init__.py"})
modules = [
    module.name
    for package in packages
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
]
for module in modules:
    importlib.import_module(module)
from loom_client import Client
is_stopping = Client(sys.argv[1], "loom_x").stop(7, "s-1")
foreign = [name for name in ("apps", "django", "loom", "pip") if importlib.util.find_spec(name)]
print(json.dumps({"packages": packages, "modules": modules, "is_stopping": is_stopping, "foreign": foreign}))
"""


def copy_of_sources(folder: Path) -> Path:
    return Path(shutil.copytree(ROOT / "packages", folder, ignore=shutil.ignore_patterns("__pycache__")))


def build(sources: Path, folder: Path) -> Path:
    """Build as anybody would, the isolated environment of PEP 517 included; nothing is there to fetch from."""
    subprocess.run([*PIP, "wheel", "--no-index", "--no-deps", "-w", folder, sources], check=True)
    (wheel,) = folder.iterdir()
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT / "packages", tmp_path_factory.mktemp("wheel"))


def test_every_package_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=False)
    python = tmp_path / "empty" / "bin" / "python"
    subprocess.run(
        [*PIP, "--python", python, "install", "--no-index", wheel], check=True, cwd=tmp_path, capture_output=True
    )
    with loopback(lambda exchange: exchange.reply_json({"is_stopping": True})) as server:
        visit = subprocess.run(
            [python, "-I", "-c", VISIT, server.url], check=True, cwd=tmp_path, capture_output=True, text=True
        )

    seen = json.loads(visit.stdout)
    assert seen["packages"] == sorted(path.parent.name for path in (ROOT / "packages").glob("*/__init__.py"))
    assert {"loom_client.client", "loom_client.run"} <= set(seen["modules"])
    assert not [module for module in seen["modules"] if ".tests" in module]
    assert (seen["is_stopping"], seen["foreign"]) == (True, [])
    assert [(request.method, request.path) for request in server.requests] == [
        ("POST", "/api/agents/7/sessions/s-1/stop")
    ]


def test_the_same_sources_give_the_same_bytes_wherever_they_are_built(wheel: Path, tmp_path: Path) -> None:
    sources = copy_of_sources(tmp_path / "elsewhere")
    for path in sources.rglob("*.py"):
        path.touch()
        path.chmod(0o600)
    (sources / "loom_client" / "__pycache__").mkdir()
    (sources / "loom_client" / "__pycache__" / "left.pyc").write_bytes(b"over")

    assert build(sources, tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_the_wheel_lists_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        files = {entry.filename: opened.read(entry) for entry in opened.infolist()}
        modes = {oct(entry.external_attr >> 16) for entry in opened.infolist()}
    record = "loom_cli-0.1.0.dist-info/RECORD"

    assert wheel.name == "loom_cli-0.1.0-py3-none-any.whl"
    assert modes == {"0o100644"}
    assert files.pop(record).decode().splitlines() == [
        *(f"{path},sha256={loom_build.digest(content)},{len(content)}" for path, content in files.items()),
        f"{record},,",
    ]
    assert loom_build.digest(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"  # as `openssl` says it
    assert files["loom_cli-0.1.0.dist-info/METADATA"].decode().splitlines() == [
        "Metadata-Version: 2.1",
        "Name: loom-cli",
        "Version: 0.1.0",
        "Summary: What speaks with Loom: a typed client of its API, and the events of its runs.",
        "Requires-Python: >=3.11",
    ]
    assert "loom_client/py.typed" in files  # or no type checker would look into it


def test_the_wheel_can_be_built_of_the_source_archive(wheel: Path, tmp_path: Path) -> None:
    name = loom_build.build_sdist(str(tmp_path))
    first = (tmp_path / name).read_bytes()
    assert loom_build.build_sdist(str(tmp_path)) == name == "loom_cli-0.1.0.tar.gz"
    assert (tmp_path / name).read_bytes() == first

    with tarfile.open(tmp_path / name) as archive:
        archive.extractall(tmp_path, filter="data")
    assert build(tmp_path / "loom_cli-0.1.0", tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_what_the_backend_does_not_know_is_refused_and_dependencies_are_told(tmp_path: Path) -> None:
    text = (ROOT / "packages" / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("dependencies = []", 'dependencies = ["rich>=13"]'))
    assert loom_build.Project.read(tmp_path).metadata.decode().endswith("\nRequires-Dist: rich>=13\n")

    (tmp_path / "pyproject.toml").write_text(text.replace("dependencies = []", 'dependencies = []\nscripts.x = "y:z"'))
    with pytest.raises(loom_build.UnknownKeyError, match="scripts"):
        loom_build.Project.read(tmp_path)
