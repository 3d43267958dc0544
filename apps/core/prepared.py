"""Statements that Django's ORM writes once and that are executed again with other values.

Measured: of what it costs to start and to end a run, building statements is nine tenths, the database one. Here a
statement is built as everywhere, from querysets and models, with a `Slot` wherever a value comes; its text is kept, and
the values are adapted by the same fields. So it reads and writes what the ORM would, on every database, and knows the
columns of today.

For what happens with every run. Whatever is rarer asks the ORM.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.models.constants import OnConflict
from django.db.models.expressions import DatabaseDefault, Expression
from django.db.models.sql import InsertQuery, UpdateQuery

Row = TypeVar("Row")
Model = TypeVar("Model", bound=models.Model)
Adapt = Callable[..., Any]

_encode = msgspec.json.Encoder().encode


class JsonText(json.JSONEncoder):
    """Writes the JSON values that Django's encoder writes, at a tenth of the cost."""

    def encode(self, o: Any) -> str:
        """JSON text that is read back equal; what only Python's encoder takes is left to it."""
        try:
            return _encode(o).decode()
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
            return super().encode(o)


class Slot(Expression):
    """Where a value comes when the statement is executed, adapted as a value of `column` is."""

    def __init__(self, name: str, column: models.Field[Any, Any]) -> None:
        super().__init__(output_field=column)
        self.name = name
        self.column = column

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


def slot(model: type[models.Model], column: str, name: str = "") -> Any:
    """A slot for a value of a column, called like the column unless it has a name of its own."""
    field = model._meta.pk if column == "pk" else model._meta.get_field(column)
    assert isinstance(field, models.Field)
    return Slot(name or column, field)


# What was built, for all threads: most requests have a thread, and a connection, of their own.
_kept: dict[Any, Any] = {}


def _statement(key: tuple[Any, ...], build: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The connection of this thread, and what `build` makes of it for `key` once."""
    connection = connections[DEFAULT_DB_ALIAS]
    key = (connection.vendor, *key)
    try:
        return connection, _kept[key]
    except KeyError:
        built = _kept[key] = build(connection)
        return connection, built


def _adapt(field: models.Field[Any, Any]) -> Adapt:
    """What the ORM makes of a value of a field before it sends it over a connection."""
    if type(field) is models.JSONField and field.encoder is None:
        return _adapt_json
    return field.get_db_prep_save


def _adapt_json(value: Any, connection: Any) -> Any:
    return None if value is None else connection.ops.adapt_json_value(value, JsonText)


class _Text:
    """A statement as one database understands it."""

    def __init__(self, sql: str, parameters: Iterable[Any]) -> None:
        self.sql = sql
        # Each is constant, or has a name and is adapted.
        self._parameters = [
            (part.name, _adapt(part.column), None) if isinstance(part, Slot) else ("", None, part)
            for part in parameters
        ]

    def parameters(self, values: Mapping[str, Any], connection: Any) -> tuple[Any, ...]:
        return tuple(
            [
                constant if adapt is None else adapt(values[name], connection)
                for name, adapt, constant in self._parameters
            ]
        )


class Select(Generic[Row]):
    """A query. `build` makes the queryset, of rows or of values, with a slot for each value that differs."""

    def __init__(self, build: Callable[[], models.QuerySet[Any, Row]]) -> None:
        self._build = build

    def __call__(self, **values: Any) -> list[Row]:
        """The rows, with these values in the slots."""
        connection, (text, kept, query, asked) = _statement((self,), self._compiled)
        filled = text.sql, text.parameters(values, connection)
        compiler, query = copy(kept), copy(query)
        compiler.connection = connection
        compiler.as_sql = lambda *args, **kwargs: filled
        query.get_compiler = lambda *args, **kwargs: compiler
        # What makes rows out of what the database returned is Django's.
        return list(asked["_iterable_class"](SimpleNamespace(query=query, **asked)))

    def _compiled(self, connection: Any) -> tuple[_Text, Any, Any, dict[str, Any]]:
        queryset: Any = self._build()
        compiler = queryset.query.get_compiler(connection=connection)
        text = _Text(*compiler.as_sql())
        # A thread that ends must not leave its connection here: this one is never opened.
        compiler.connection = connections.create_connection(DEFAULT_DB_ALIAS)
        converters = compiler.get_converters([column for column, _, _ in compiler.select])
        compiler.get_converters = lambda expressions: converters
        asked = {name: getattr(queryset, name) for name in ("db", "model", "_fields", "_iterable_class")}
        return text, compiler, queryset.query, {**asked, "_known_related_objects": {}}


class SelectAmong(Generic[Row]):
    """A query of what belongs to some keys of `model`, which `build` gets as slots.

    There is a statement for one of them, for two, four, eight …; what is missing is filled up by the last key again.
    """

    def __init__(self, model: type[models.Model], build: Callable[[Sequence[Any]], models.QuerySet[Any, Row]]) -> None:
        self._model = model
        self._build = build
        self._selects: dict[int, Select[Row]] = {}

    def __call__(self, keys: Iterable[Any], **values: Any) -> list[Row]:
        """The rows of these keys, of which there is one at least."""
        wanted = sorted(keys)
        count = 1 << (len(wanted) - 1).bit_length()
        names = [f"={number}" for number in range(count)]
        if count not in self._selects:
            slots = [slot(self._model, "pk", name) for name in names]
            self._selects[count] = Select(partial(self._build, slots))
        wanted += [wanted[-1]] * (count - len(wanted))
        return self._selects[count](**dict(zip(names, wanted, strict=True)), **values)


class Update:
    """A change of the rows of `build`, by values of whichever columns and by the expressions of `always`."""

    def __init__(self, build: Callable[[], models.QuerySet[Any, Any]], **always: Any) -> None:
        self._build = build
        self._always = always

    def __call__(self, changes: Mapping[str, Any], **values: Any) -> int:
        """How many rows were changed: `changes` by the name of the column, `values` by slot."""
        names = tuple(changes)
        connection, text = _statement((self, names), partial(self._compiled, names))
        with connection.cursor() as cursor:
            cursor.execute(text.sql, text.parameters({**_as_changes(changes), **values}, connection))
            return int(cursor.rowcount)

    def _compiled(self, names: tuple[str, ...], connection: Any) -> _Text:
        queryset = self._build()
        query: Any = queryset.query.chain(UpdateQuery)
        slots = {name: slot(queryset.model, name, f"={name}") for name in names}
        query.add_update_values({**slots, **self._always})
        return _Text(*query.get_compiler(connection=connection).as_sql())


def _as_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"={name}": value for name, value in changes.items()}


class Insert(Generic[Model]):
    """New rows of a model, with all of its columns: those that a row does not set have their default."""

    def __init__(self, model: type[Model]) -> None:
        self._model = model

    def __call__(self, row: Model) -> Model:
        """Store a row, which then has its key and what else the database has set; raises IntegrityError."""
        connection, (columns, sql, converters) = self._for(row, returns=True)
        returned = row._meta.db_returning_fields
        with connection.cursor() as cursor:
            cursor.execute(sql, columns.parameters(row, connection))
            values = list(cursor.fetchone()) if returned else []
        for place, (convert, column) in converters.items():
            for one in convert:
                values[place] = one(values[place], column, connection)
        for field, value in zip(returned, values, strict=True):
            setattr(row, field.attname, value)
        row._state.adding, row._state.db = False, connection.alias
        return row

    def all(self, rows: Iterable[Model], *, ignore_conflicts: bool = False) -> None:
        """Store rows whose keys nobody needs; with `ignore_conflicts` only those that no constraint refuses."""
        by_statement: dict[str, list[tuple[Any, ...]]] = {}
        for row in rows:
            connection, (columns, sql, _converters) = self._for(row, ignores_conflicts=ignore_conflicts)
            by_statement.setdefault(sql, []).append(columns.parameters(row, connection))
        for sql, parameters in by_statement.items():
            with connection.cursor() as cursor:
                cursor.executemany(sql, parameters)

    def _for(self, row: Model, **how: bool) -> tuple[Any, tuple[_Columns, str, dict[int, Any]]]:
        # What the database has a default for, and the row does not set, is left to the database.
        unset = tuple([name for name, value in row.__dict__.items() if isinstance(value, DatabaseDefault)])
        return _statement((self, unset, *how.items()), partial(self._compiled, unset, how))

    def _compiled(self, unset: tuple[str, ...], how: Mapping[str, bool], connection: Any) -> Any:
        options = self._model._meta
        fields = [
            field
            for field in options.local_concrete_fields
            if field is not options.auto_field and not field.generated and field.attname not in unset
        ]
        example = self._model(**{field.attname: Slot(field.attname, field) for field in fields})
        query = InsertQuery(self._model, on_conflict=OnConflict.IGNORE if how.get("ignores_conflicts") else None)
        query.insert_values(fields, [example], raw=True)
        compiler = query.get_compiler(connection=connection)
        converters: dict[int, Any] = {}
        if how.get("returns"):
            returned = compiler.returning_fields = options.db_returning_fields
            # As SQLite needs one for what is true or false; most have none.
            converters = compiler.get_converters([field.get_col(options.db_table) for field in returned])
        [(sql, _)] = compiler.as_sql()
        return _Columns(fields, connection), sql, converters


class _Columns:
    """What a row has in these columns, as this database takes it. What is a default is adapted only once."""

    def __init__(self, fields: Iterable[models.Field[Any, Any]], connection: Any) -> None:
        self._columns = []
        for field in fields:
            adapt = _adapt(field)
            is_set_when_stored = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
            default = None if callable(field.default) else field.get_default()
            self._columns.append(
                (field.attname, field if is_set_when_stored else None, default, adapt(default, connection), adapt)
            )

    def parameters(self, row: models.Model, connection: Any) -> tuple[Any, ...]:
        values = row.__dict__
        found = []
        for name, set_when_stored, default, adapted_default, adapt in self._columns:
            if set_when_stored is not None:
                found.append(adapt(set_when_stored.pre_save(row, add=True), connection))
            else:
                value = values[name]
                found.append(adapted_default if value is default else adapt(value, connection))
        return tuple(found)
