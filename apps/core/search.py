"""Words in many texts: what an index finds is what looking into every text would find.

A text is stored folded (no difference of capital letters), by the key of what it belongs to. SQLite has an FTS5 index
of it by trigrams, which knows no words and so finds Chinese and Japanese; PostgreSQL one of pg_trgm. Words that no
index serves are looked for in the newest texts only: those of fewer than three characters, all of them where the
database has no FTS5 or may not create pg_trgm, and on PostgreSQL signs without a letter, or letters that its locale
does not know. What a person types is a value of a statement, or quoted, and never a part of its syntax.
"""

# ruff: noqa: S608 -- what is put into statements is the name of a model's own table; values are parameters

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.models import Model, QuerySet

RowT = TypeVar("RowT", bound=Model)

SERVED_LENGTH = 3  # of a word that an index of trigrams can find
WORDS_AT_MOST = 12
NEWEST_LOOKED_AT = 2_000  # where no index helps
# So many of what the index finds are looked at for one page, if what is asked for besides keeps few of them.
CANDIDATES_LOOKED_AT = 20_000
LOOKED_AT_FOR_ALL = 4_000
_FEWEST, _MOST = 250, 4_000  # looked at in one piece
_LETTERS = re.compile(r"[^\W_]{3}")
_ASCII_LETTERS = re.compile(r"[^\W_]{3}", re.ASCII)

# Whether a database has the index of a table, and which letters it knows; asked once.
_known: dict[tuple[Any, ...], Any] = {}


def folded(text: str) -> str:
    """A text as it is stored and looked for."""
    return text.replace("\0", "").casefold()


def words_of(text: str) -> list[str]:
    """The words that a person typed, each once; all of them have to occur."""
    return list(dict.fromkeys(folded(text).split()))[:WORDS_AT_MOST]


@dataclass(frozen=True, slots=True)
class Found:
    """The keys that were found, the newest first. `older` is the key below which there may be more: None where all was
    looked at.
    """

    keys: list[int]
    older: int | None


def create_index(model: type[Model], alias: str = DEFAULT_DB_ALIAS) -> bool:
    """Make the index where there is none; False where this database cannot have one."""
    connection, table, key = connections[alias], model._meta.db_table, _key_column(model)
    _known.clear()
    if has_index(model, alias):
        return True
    statements = _sqlite_index(table, key) if connection.vendor == "sqlite" else _postgres_index(table)
    try:
        with transaction.atomic(using=alias), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError:
        return False
    finally:
        _known.clear()
    return True


def drop_index(model: type[Model], alias: str = DEFAULT_DB_ALIAS) -> None:
    """Take the index away, if there is one; the texts stay."""
    connection, table = connections[alias], model._meta.db_table
    parts = [f'DROP INDEX IF EXISTS "{table}_index"']
    if connection.vendor == "sqlite":
        parts = [f'DROP TRIGGER IF EXISTS "{table}_{event}"' for event in ("insert", "delete", "update")]
        parts.append(f'DROP TABLE IF EXISTS "{table}_index"')
    with connection.cursor() as cursor:
        for statement in parts:
            cursor.execute(statement)
    _known.clear()


def _key_column(model: type[Model]) -> str:
    assert model._meta.pk is not None
    return str(model._meta.pk.column)


def _sqlite_index(table: str, key: str) -> Iterator[str]:
    """The texts stay in their table, whose triggers keep the index equal, whoever writes."""
    index = f'"{table}_index"'
    added = f'INSERT INTO {index}(rowid, text) VALUES (new."{key}", new.text);'
    removed = f"INSERT INTO {index}({index}, rowid, text) VALUES ('delete', old.\"{key}\", old.text);"
    yield (
        f"CREATE VIRTUAL TABLE {index} USING fts5(text, content='{table}', content_rowid='{key}', "
        "tokenize='trigram case_sensitive 1')"
    )
    yield f'CREATE TRIGGER "{table}_insert" AFTER INSERT ON "{table}" BEGIN {added} END'
    yield f'CREATE TRIGGER "{table}_delete" AFTER DELETE ON "{table}" BEGIN {removed} END'
    yield f'CREATE TRIGGER "{table}_update" AFTER UPDATE ON "{table}" BEGIN {removed} {added} END'
    yield f"INSERT INTO {index}({index}) VALUES ('rebuild')"


def _postgres_index(table: str) -> Iterator[str]:
    yield "CREATE EXTENSION IF NOT EXISTS pg_trgm"
    yield f'CREATE INDEX "{table}_index" ON "{table}" USING gin (text gin_trgm_ops)'


def has_index(model: type[Model], alias: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether the words of a model's texts are indexed."""
    names = f"{model._meta.db_table}_index"
    if connections[alias].vendor == "sqlite":
        return bool(_ask(alias, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = %s", names))
    return bool(_ask(alias, "SELECT COUNT(*) FROM pg_indexes WHERE indexname = %s", names))


def index_bytes(model: type[Model]) -> int:
    """How much room the index takes; on SQLite every page of it is read for that."""
    connection, table = connections[DEFAULT_DB_ALIAS], model._meta.db_table
    if not has_index(model):
        return 0
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f'SELECT COALESCE(SUM(LENGTH(block)), 0) FROM "{table}_index_data"')
        else:
            cursor.execute("SELECT pg_relation_size(%s::regclass)", [f'"{table}_index"'])
        return int(cursor.fetchone()[0])


def _ask(alias: str, statement: str, *values: str) -> Any:
    connection = connections[alias]
    key = (str(connection.settings_dict["NAME"]), statement, *values)
    if not _known.get(key):  # what is missing now may be there later
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            _known[key] = cursor.fetchone()[0]
    return _known[key]


def is_served(word: str, model: type[Model]) -> bool:
    """Whether the index finds this word."""
    if len(word) < SERVED_LENGTH or not has_index(model):
        return False
    if connections[DEFAULT_DB_ALIAS].vendor == "sqlite":
        return True
    locale = _ask(DEFAULT_DB_ALIAS, "SELECT datctype FROM pg_database WHERE datname = current_database()")
    letters = _ASCII_LETTERS if locale in {"C", "POSIX"} else _LETTERS
    return letters.search(word) is not None


def find(
    rows: QuerySet[RowT],
    relation: str,
    words: Sequence[str],
    *,
    limit: int,
    enough: int | None = None,
    below: int | None = None,
    are_few: bool = False,
) -> Found:
    """The newest of `rows` whose text holds all of `words`, which are there; `relation` leads to the text.

    Of rows that are found seldom `enough` will do, where there is such a number. With `are_few` the rows are so few
    that their texts are looked into without the index.
    """
    model: Any = rows.model._meta.get_field(relation).related_model
    matching = rows.order_by("-pk")
    for word in words:
        matching = matching.filter(**{f"{relation}__text__contains": word})
    if below is not None:
        matching = matching.filter(pk__lt=below)
    served = [word for word in words if is_served(word, model)]
    if are_few:
        return _first(matching, limit)
    if not served:
        return _newest(matching, model, limit, below)
    if connections[DEFAULT_DB_ALIAS].vendor != "sqlite":
        return _first(matching, limit)
    unserved = [word for word in words if word not in served]
    wanted = rows.order_by("-pk")
    for word in unserved:
        wanted = wanted.filter(**{f"{relation}__text__contains": word})
    return _by_candidates(wanted, model, served, (limit, limit if enough is None else enough), below)


def _first(matching: QuerySet[RowT], limit: int) -> Found:
    keys = list(matching.values_list("pk", flat=True)[:limit])
    return Found(keys, keys[-1] if len(keys) == limit else None)


def _newest(matching: QuerySet[RowT], model: type[Model], limit: int, below: int | None) -> Found:
    """Without an index: in the newest texts."""
    texts: Any = model._default_manager.order_by("-pk").values_list("pk", flat=True)
    if below is not None:
        texts = texts.filter(pk__lt=below)
    oldest = next(iter(texts[NEWEST_LOOKED_AT - 1 : NEWEST_LOOKED_AT]), None)
    found = _first(matching if oldest is None else matching.filter(pk__gte=oldest), limit)
    return found if found.older is not None else Found(found.keys, oldest)


def _by_candidates(
    wanted: QuerySet[RowT], model: type[Model], words: list[str], goals: tuple[int, int], below: int | None
) -> Found:
    """What the index finds, piece by piece, until there are enough of those that are wanted.

    Joined in one statement, SQLite would read all that is found of a word before the first row.
    """
    limit, enough = goals
    keys: list[int] = []
    looked_at = 0
    while looked_at < CANDIDATES_LOOKED_AT:
        # Where all of them could only be had by looking at very many.
        is_dear = looked_at > 0 and limit * looked_at > len(keys) * LOOKED_AT_FOR_ALL
        goal = enough if is_dear else limit
        if len(keys) >= goal:
            break
        count = _piece(goal, looked_at, len(keys))
        candidates = _candidates(model, words, below, count)
        looked_at += len(candidates)
        keys += _wanted_of(wanted, candidates) if candidates else []
        if len(keys) >= limit:
            return Found(keys[:limit], keys[limit - 1])
        if len(candidates) < count:
            return Found(keys, None)
        below = candidates[-1]
    return Found(keys, below)


def _wanted_of(wanted: QuerySet[RowT], candidates: list[int]) -> list[int]:
    """The keys of those candidates that are wanted, in their order."""
    if candidates[0] - candidates[-1] > 2 * len(candidates):
        return list(wanted.filter(pk__in=candidates).values_list("pk", flat=True))
    # They lie close together: to name each of thousands costs more than to leave out some others.
    known = set(candidates)
    near = wanted.filter(pk__gte=candidates[-1], pk__lte=candidates[0]).values_list("pk", flat=True)
    return [key for key in near if key in known]


def _piece(limit: int, looked_at: int, found: int) -> int:
    """How many to look at next: as many as will do, if so many of them are wanted as of those before."""
    if not looked_at:
        expected = limit
    elif not found:
        expected = 4 * looked_at
    else:
        expected = (limit - found) * looked_at * 6 // (found * 5)
    return min(max(expected, _FEWEST), _MOST)


def _candidates(model: type[Model], words: list[str], below: int | None, count: int) -> list[int]:
    index = f'"{model._meta.db_table}_index"'
    # In quotes a word is a phrase of trigrams, which is what it is in the text; a quote in it is doubled.
    quoted = " AND ".join('"{}"'.format(word.replace('"', '""')) for word in words)
    statement = f"SELECT rowid FROM {index} WHERE {index} MATCH %s AND rowid < %s ORDER BY rowid DESC LIMIT %s"
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(statement, [quoted, 2**63 - 1 if below is None else below, count])
        return [key for (key,) in cursor.fetchall()]
