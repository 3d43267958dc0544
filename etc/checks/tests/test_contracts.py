"""The import contracts speak of everything there is: a new room or app cannot escape them."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from etc.checks.apart import ROOT

# What tells nothing of an order: each test stands alone, Django says what these others are.
APART = frozenset({"tests", "migrations", "management"})
FEWEST_MODULES = 3


def contracts(root: Path) -> list[dict[str, Any]]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def packages(root: Path) -> dict[str, set[str]]:
    """The modules of each package by its name, packages among them; what stands apart is left out, below it as well."""
    found: dict[str, set[str]] = {}
    for init in [path for name in ("apps", "loom", "packages") for path in (root / name).rglob("__init__.py")]:
        parts = init.parent.relative_to(root / "packages" if root / "packages" in init.parents else root).parts
        if not APART & set(parts):
            inside = {path.stem for path in init.parent.glob("*.py")} | {
                path.parent.name for path in init.parent.glob("*/__init__.py")
            }
            found[".".join(parts)] = inside - APART - {"__init__"}
    return found


def without_order(root: Path) -> list[str]:
    """The packages of some modules that no exhaustive contract gives an order to."""
    ordered = {
        name for contract in contracts(root) if contract.get("exhaustive") for name in contract.get("containers", [])
    }
    return sorted(
        name for name, modules in packages(root).items() if len(modules) >= FEWEST_MODULES and name not in ordered
    )


def unnamed(root: Path, contract_id: str) -> list[str]:
    """The other apps, and loom, that a contract does not forbid its source to import."""
    (contract,) = (contract for contract in contracts(root) if contract["id"] == contract_id)
    others = {name for name in packages(root) if re.fullmatch(r"apps\.\w+|loom", name)}
    return sorted(others - {*contract["source_modules"], *contract["forbidden_modules"]})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's packages, in which more can be put."""
    for name in ("apps", "loom", "packages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add_package(folder: Path, *modules: str) -> None:
    folder.mkdir()
    for name in ("__init__", *modules):
        (folder / f"{name}.py").touch()


def test_each_package_of_three_modules_has_an_order_of_its_own() -> None:
    assert without_order(ROOT) == []


@pytest.mark.parametrize("contract_id", ["aws", "emulator"])
def test_what_stands_alone_may_import_no_app(contract_id: str) -> None:
    assert unnamed(ROOT, contract_id) == []


def test_a_new_room_is_found(tree: Path) -> None:
    add_package(tree / "apps/agents/rooms", "one", "two", "three")
    add_package(tree / "loom/cli/small", "one", "two")
    add_package(tree / "packages/loom_weavers", "one", "two", "three")
    add_package(tree / "apps/agents/tests/helpers", "one", "two", "three")

    assert without_order(tree) == ["apps.agents.rooms", "loom_weavers"]


def test_a_contract_that_is_not_exhaustive_gives_no_order(tree: Path) -> None:
    settings = tree / "pyproject.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("exhaustive = true", "exhaustive = false"))

    assert {"apps", "apps.aws", "apps.emulator.planes", "loom", "loom_events"} <= set(without_order(tree))


def test_an_app_that_comes_is_missed_in_the_contracts_of_what_stands_alone(tree: Path) -> None:
    add_package(tree / "apps/weavers")

    assert (unnamed(tree, "aws"), unnamed(tree, "emulator")) == (["apps.weavers"], ["apps.weavers"])
