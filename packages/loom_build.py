"""The build backend of the wheel `loom-cli` (PEP 517), which needs nothing but the standard library.

    pip wheel --no-deps packages

The packages are the folders beside this file; their tests stay out. The same sources give the same bytes wherever they
are built: names are sorted, every file has one date and one mode, and nothing is compressed, for no two zlibs agree.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LEFT_OUT = frozenset({"tests", "__pycache__"})
KNOWN_KEYS = frozenset({"name", "version", "description", "requires-python", "dependencies"})
OLDEST_DATE = (1980, 1, 1, 0, 0, 0)  # a zip file knows none before
REGULAR_FILE = 0o100644
UNIX = 3


class UnknownKeyError(ValueError):
    """The table `project` says something that would be lost."""


@dataclass(frozen=True)
class Project:
    """The table `project` of a pyproject.toml (PEP 621), as far as this backend understands it."""

    name: str
    version: str
    description: str
    requires_python: str
    dependencies: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Project:
        """Raises UnknownKeyError."""
        table = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if unknown := sorted(table.keys() - KNOWN_KEYS):
            raise UnknownKeyError(f"loom_build does not know these keys of [project]: {', '.join(unknown)}.")
        return cls(
            name=table["name"],
            version=table["version"],
            description=table["description"],
            requires_python=table["requires-python"],
            dependencies=tuple(table["dependencies"]),
        )

    @property
    def stem(self) -> str:
        """How the names of its files begin."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def metadata(self) -> bytes:
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {self.name}",
            f"Version: {self.version}",
            f"Summary: {self.description}",
            f"Requires-Python: {self.requires_python}",
            *(f"Requires-Dist: {dependency}" for dependency in self.dependencies),
        ]
        return "\n".join([*lines, ""]).encode()


def build_wheel(
    wheel_directory: str, config_settings: Mapping[str, Any] | None = None, metadata_directory: str | None = None
) -> str:
    """Write the wheel and return its name (PEP 427)."""
    project = Project.read(HERE)
    info = f"{project.stem}.dist-info"
    files = {
        **dict(package_files(HERE)),
        f"{info}/METADATA": project.metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: loom_build\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = record(files, f"{info}/RECORD")
    name = f"{project.stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, OLDEST_DATE)
            entry.create_system, entry.external_attr = UNIX, REGULAR_FILE << 16
            wheel.writestr(entry, content)
    return name


def build_sdist(sdist_directory: str, config_settings: Mapping[str, Any] | None = None) -> str:
    """Write the sources that the wheel can be built of again and return their name (PEP 517, 625)."""
    project = Project.read(HERE)
    own = {name: (HERE / name).read_bytes() for name in ("loom_build.py", "pyproject.toml")}
    files = {"PKG-INFO": project.metadata, **own, **dict(package_files(HERE))}
    name = f"{project.stem}.tar.gz"
    with (
        Path(sdist_directory, name).open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=0, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as sources,
    ):
        for path, content in files.items():
            entry = tarfile.TarInfo(f"{project.stem}/{path}")  # of nobody, 1970
            entry.size = len(content)
            sources.addfile(entry, io.BytesIO(content))
    return name


def package_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """The files of every package in a folder, by their path from there, in order."""
    for package in sorted(path.parent for path in folder.glob("*/__init__.py")):
        for path in sorted(package.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and LEFT_OUT.isdisjoint(inside.parts):
                yield inside.as_posix(), path.read_bytes()


def record(files: Mapping[str, bytes], own_path: str) -> bytes:
    """The list of the wheel's files with their digests and sizes; of itself it knows neither."""
    lines = [f"{path},sha256={digest(content)},{len(content)}" for path, content in files.items()]
    return "\n".join([*lines, f"{own_path},,", ""]).encode()


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
