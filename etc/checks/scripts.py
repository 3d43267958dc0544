"""Scripts and style sheets of pages: the types that JSDoc names, and what no script and no style sheet should hold.

    python -m etc.checks.scripts          everything in static; exit status 1 where something is found
    python -m etc.checks.scripts FOLDER   the same of another folder with js and css

TypeScript comes with deno, a program in a wheel, which also brings the rules for scripts; biome has those for style
sheets, and no wheel for some systems: there they go unchecked. Neither asks the network for anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from etc.checks.apart import ROOT

SETTINGS = ROOT / "etc" / "checks" / "browser"
BIN = Path(sys.executable).parent


def commands(folder: Path) -> list[list[str]]:
    """What is run over a folder with js and css."""
    deno, biome = str(BIN / "deno"), shutil.which("biome", path=BIN)
    config = f"--config={SETTINGS / 'deno.json'}"
    scripts = sorted(map(str, (folder / "js").glob("*.js")))
    found = [
        [deno, "check", "--quiet", "--no-remote", "--no-npm", config, str(SETTINGS / "types.d.ts"), *scripts],
        [deno, "lint", "--quiet", config, *scripts],
    ]
    if biome is not None:
        found.append([biome, "lint", f"--config-path={SETTINGS}", "--error-on-warnings", str(folder / "css")])
    return found


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    folder = Path(arguments[0]) if arguments else ROOT / "static"
    with tempfile.TemporaryDirectory(prefix="loom-scripts-") as cache:
        environment = os.environ | {"DENO_DIR": cache, "DENO_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"}
        done = [
            subprocess.run(one, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            for one in commands(folder)
        ]
    for one in done:
        if one.returncode:
            sys.stdout.write(f"{one.stdout}{one.stderr}\n")
    return 1 if any(one.returncode for one in done) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
