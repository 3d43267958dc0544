from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from loom.tests.servers import PostgresServer
from loom.tests.upgrades.driving import Database, unpack_landed_code


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'upgraded.db'}")
    server: PostgresServer = request.getfixturevalue("postgres")
    return Database(server.create_database(f"upgrade_{uuid.uuid4().hex}"))


@pytest.fixture(scope="session")
def landed_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landed version's code in a folder of its own."""
    return unpack_landed_code(tmp_path_factory.mktemp("landed"))
