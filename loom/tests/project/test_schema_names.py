"""The API's description knows a schema by the name of its class: two of one name would be one, and the wrong one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ninja import Schema

import loom.api  # noqa: F401 -- every router


def schemas(of: type[Schema] = Schema) -> Iterator[type[Schema]]:
    """Every schema of Loom's."""
    for found in of.__subclasses__():
        if found.__module__.startswith(("apps.", "loom.")):
            yield found
        yield from schemas(found)


def test_no_two_schemas_have_one_name() -> None:
    found = {f"{schema.__module__}.{schema.__qualname__}" for schema in schemas()}
    counts = Counter(name.rpartition(".")[2] for name in found)

    assert [name for name, count in counts.items() if count > 1] == []
    assert "ErrorOut" in counts
