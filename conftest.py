from __future__ import annotations

pytest_plugins = ["loom.tests.fixtures", "loom.tests.browser", "loom.tests.services"]
