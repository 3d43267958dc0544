"""Run a Python agent on the port that the environment variable PORT names: `python port_launcher.py main.py`.

Works with the interpreter and the packages of the agent, hence imports nothing of this project.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import uvicorn
except ImportError:
    uvicorn = None  # type: ignore[assignment]


def main() -> None:
    """Have uvicorn.run serve on 127.0.0.1 and the port given, then run the file as the main program."""
    port = int(os.environ["PORT"])
    if uvicorn is not None:
        run_server = uvicorn.run

        def run_on_port(application: Callable[..., Any] | str, **options: Any) -> None:
            run_server(application, **{**options, "host": "127.0.0.1", "port": port})

        uvicorn.run = run_on_port  # type: ignore[assignment]
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(script).resolve().parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
