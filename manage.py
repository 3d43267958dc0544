#!/usr/bin/env python
"""Django's command line for Loom."""

from __future__ import annotations

import io
import os
import sys

from django.core.management import execute_from_command_line

from loom.environment import EnvironmentInvalidError, environment_file, unknown_names

_TOLD = "LOOM_UNKNOWN_NAMES_TOLD"


def main() -> None:
    """Run a management command; a wrong environment ends it with a list of what to mend instead of a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loom.settings")
    _take_any_character()
    _tell_unknown_names()
    try:
        execute_from_command_line(sys.argv)
    except EnvironmentInvalidError as error:
        sys.exit(str(error))


def _take_any_character() -> None:
    """Let a terminal or a file that is not UTF-8 show a character it does not have as an escape, not as a traceback.

    What comes from one is kept, so that the command can say which line of it was no text.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell_unknown_names() -> None:
    """Say once what etc/environment.sh holds in vain; the processes that this one starts say it no more."""
    path = environment_file()
    if path is not None and _TOLD not in os.environ:
        os.environ[_TOLD] = "1"
        for line in unknown_names(path):
            sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
