"""The database of the running test, for processes beside it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from django.db import connection


def url_of_this_database() -> str:
    """Return the URL of the database that this test sees, for a process beside it."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
