#!/usr/bin/env python
"""Django's command line for Loom."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from loom.environment import EnvironmentInvalidError


def main() -> None:
    """Run a management command; a wrong environment ends it with a list of what to mend instead of a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
    try:
        execute_from_command_line(sys.argv)
    except EnvironmentInvalidError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
