"""A part of JSON Schema (2020-12) that can be decided in bounded time, and nothing of it half.

What a schema says in words that are not known here is refused when it is stored: a check that silently leaves something
out would pass what it should not. `pattern` is among these, as a pattern may take for ever; `regex` is a check of its
own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

MAX_DEPTH = 32
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and float(value).is_integer() if not isinstance(value, int) else True,
}
COUNTS = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
LISTS_OF_SCHEMAS = {"allOf", "anyOf", "oneOf"}
SCHEMAS = {"items", "not", "additionalProperties"}
SILENT = {"$schema", "$id", "$comment", "title", "description", "default", "examples"}
KNOWN = COUNTS | NUMBERS | LISTS_OF_SCHEMAS | SCHEMAS | SILENT | {"type", "enum", "const", "properties", "required"}


class SchemaError(ValueError):
    """What of a schema cannot be used; the text says where."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_schema(schema: Any, at: str = "schema", depth: int = 0) -> None:
    """Raise SchemaError unless every word of a schema is known here and has a value that it can have."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise SchemaError(f"{at} has to be an object or true or false")
    if depth > MAX_DEPTH:
        raise SchemaError(f"{at} is nested more than {MAX_DEPTH} deep")
    for word, value in schema.items():
        here = f"{at}.{word}"
        if word not in KNOWN:
            raise SchemaError(f"{here} is not among what Loom checks")
        if word in SCHEMAS:
            check_schema(value, here, depth + 1)
        elif word in LISTS_OF_SCHEMAS:
            _want(isinstance(value, list) and value, f"{here} has to be a list of schemas")
            for number, inner in enumerate(value):
                check_schema(inner, f"{here}[{number}]", depth + 1)
        elif word == "properties":
            _want(isinstance(value, dict), f"{here} has to be an object")
            for name, inner in value.items():
                check_schema(inner, f"{here}.{name}", depth + 1)
        else:
            _check_value(word, value, here)


def _check_value(word: str, value: Any, here: str) -> None:
    if word == "type":
        names = value if isinstance(value, list) else [value]
        _want(names and all(isinstance(name, str) and name in TYPES for name in names), f"{here} is no type of JSON")
    elif word == "enum":
        _want(isinstance(value, list) and value, f"{here} has to be a list")
    elif word == "required":
        _want(isinstance(value, list) and all(isinstance(name, str) for name in value), f"{here} has to list names")
    elif word in COUNTS:
        _want(isinstance(value, int) and not isinstance(value, bool) and value >= 0, f"{here} has to be a whole number")
    elif word in NUMBERS:
        _want(_is_number(value) and math.isfinite(value), f"{here} has to be a number")


def _want(is_so: Any, otherwise: str) -> None:
    if not is_so:
        raise SchemaError(otherwise)


def problem_of(value: Any, schema: Any, at: str = "the answer") -> str | None:
    """The first thing about a value that a checked schema does not allow, None where it allows all."""
    if isinstance(schema, bool):
        return None if schema else f"{at} is not allowed"
    for find in (_of_type, _of_size, _of_members, _of_others):
        found = find(value, schema, at)
        if found is not None:
            return found
    return None


def _of_type(value: Any, schema: Mapping[str, Any], at: str) -> str | None:
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(TYPES[name](value) for name in names):
            return f"{at} is not of the type {' or '.join(names)}"
    if "enum" in schema and not any(_is_same(value, one) for one in schema["enum"]):
        return f"{at} is none of the values that are allowed"
    if "const" in schema and not _is_same(value, schema["const"]):
        return f"{at} is not the value that is wanted"
    return None


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _of_size(value: Any, schema: Mapping[str, Any], at: str) -> str | None:
    for what, kind in (("Length", str), ("Items", list), ("Properties", dict)):
        if isinstance(value, kind):
            if len(value) < schema.get(f"min{what}", 0):
                return f"{at} is shorter than {schema[f'min{what}']}"
            if f"max{what}" in schema and len(value) > schema[f"max{what}"]:
                return f"{at} is longer than {schema[f'max{what}']}"
    if _is_number(value):
        if value < schema.get("minimum", -math.inf) or value <= schema.get("exclusiveMinimum", -math.inf):
            return f"{at} is too small"
        if value > schema.get("maximum", math.inf) or value >= schema.get("exclusiveMaximum", math.inf):
            return f"{at} is too large"
    return None


def _of_members(value: Any, schema: Mapping[str, Any], at: str) -> str | None:
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            if (found := problem_of(inner, schema["items"], f"{at}[{number}]")) is not None:
                return found
    if not isinstance(value, dict):
        return None
    for name in schema.get("required", ()):
        if name not in value:
            return f"{at} has no {name}"
    known = schema.get("properties", {})
    for name, inner in value.items():
        wanted = known[name] if name in known else schema.get("additionalProperties", True)
        if (found := problem_of(inner, wanted, f"{at}.{name}")) is not None:
            return found
    return None


def _of_others(value: Any, schema: Mapping[str, Any], at: str) -> str | None:
    for inner in schema.get("allOf", ()):
        if (found := problem_of(value, inner, at)) is not None:
            return found
    if "anyOf" in schema and all(problem_of(value, inner, at) is not None for inner in schema["anyOf"]):
        return f"{at} is none of what is allowed"
    if "oneOf" in schema and sum(problem_of(value, inner, at) is None for inner in schema["oneOf"]) != 1:
        return f"{at} is not exactly one of what is allowed"
    if "not" in schema and problem_of(value, schema["not"], at) is None:
        return f"{at} is what is not allowed"
    return None
