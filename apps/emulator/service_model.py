"""Requests, checked against AWS's own service models, as botocore carries them.

A model says of every operation which members it takes: their types, which are required, lengths, ranges, patterns and
enumerations. botocore itself checks few of them before it sends. What is wrong with the types or the JSON cannot be
parsed; everything else is a constraint, and all that fail are named at once, in the words that AWS uses. A member that
is null counts as absent, one that the model does not know is ignored: Smithy's rules for both JSON protocols.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, NoReturn
from urllib.parse import unquote

from starlette.requests import Request

from apps.emulator.aws_wire import AwsError, validation_error

Members = dict[str, Any]
INTEGER = re.compile(r"-?[0-9]{1,19}")
BITS = {"integer": 31, "long": 63}
LAST_INSTANT_S = 253_402_300_799  # the end of the year 9999
# moto's tests, which were run on AWS, see these refused without their value.
NEVER_REPEATED = ("LogGroupIdentifier",)


class Reason(StrEnum):
    """Why a request is refused: three of the model's ValidationExceptionReason."""

    CANNOT_PARSE = "CannotParse"
    FIELD_VALIDATION_FAILED = "FieldValidationFailed"
    IDEMPOTENT_PARAMETER_MISMATCH = "IdempotentParameterMismatchException"


Refuse = Callable[[str, Reason], AwsError]


class MalformedError(ValueError):
    """A request that cannot be parsed: no JSON, or another type than the model's."""


@dataclass(frozen=True)
class Operation:
    """An operation of a service: where it is called, with which status it answers, and the shape of its input."""

    name: str
    method: str
    path: str
    status: int
    input_shape: str


def refuse_rest(message: str, reason: Reason) -> AwsError:
    """How AgentCore refuses a request."""
    return validation_error(message, reason)


class ServiceModel:
    """The operations of a service that the emulator offers."""

    def __init__(self, service: str, operations: Iterable[str], refuse: Refuse) -> None:
        raw = _load(service)
        self._refuse = refuse
        self._shapes: dict[str, dict[str, Any]] = {}
        self.operations = {name: self._take(raw, name) for name in operations}

    def read_json(self, operation: str, body: bytes) -> Members:
        """Return the members of a request of the JSON protocols; raises the AwsError that refuses it."""
        return self._checked(operation, lambda: parse_object(body))

    def read_rest(self, operation: str, request: Request, body: bytes = b"") -> Members:
        """Return the members of a rest-json request, wherever they stand; raises the AwsError that refuses it.

        A payload that is the body as it is (InvokeAgentRuntime's) is not among them.
        """
        return self._checked(operation, lambda: self._gather(self.operations[operation], request, body))

    def _checked(self, operation: str, gather: Callable[[], Members]) -> Members:
        check = _Check(self._shapes)
        try:
            members: Members = check.value(self.operations[operation].input_shape, gather(), "")
        except MalformedError as error:
            raise self._refuse(str(error), Reason.CANNOT_PARSE) from error
        if check.problems:
            plural = "s" if len(check.problems) > 1 else ""
            found = f"{len(check.problems)} validation error{plural} detected: {'; '.join(check.problems)}"
            raise self._refuse(found, Reason.FIELD_VALIDATION_FAILED)
        return members

    def _gather(self, operation: Operation, request: Request, body: bytes) -> Members:
        shape = self._shapes[operation.input_shape]
        places: dict[str, Callable[[str], str | None]] = {
            # An empty header says as little as none.
            "header": lambda name: request.headers.get(name) or None,
            "querystring": request.query_params.get,
            "uri": lambda name: unquote(request.path_params[name]),
        }
        found: Members = {}
        if any("location" not in member for member in shape["members"].values()) and "payload" not in shape:
            found = parse_object(body)
        for name, member in shape["members"].items():
            if "location" in member:
                text = places[member["location"]](member["locationName"])
                found[name] = None if text is None else _from_text(self._shapes[member["shape"]]["type"], text)
        return found

    def _take(self, raw: Mapping[str, Any], name: str) -> Operation:
        operation = raw["operations"][name]
        http, shape = operation["http"], operation["input"]["shape"]
        self._keep(raw["shapes"], shape)
        # The payload of InvokeAgentRuntime is required, and may be empty: it is always there.
        if payload := self._shapes[shape].get("payload"):
            self._shapes[shape]["members"].pop(payload, None)
            self._shapes[shape]["required"].remove(payload)
        return Operation(name, http["method"], http["requestUri"], http.get("responseCode", 200), shape)

    def _keep(self, raw: Mapping[str, Any], name: str) -> None:
        """Keep a shape and what it consists of, without their documentation."""
        if name in self._shapes:
            return
        shape = {key: value for key, value in raw[name].items() if key != "documentation"}
        self._shapes[name] = shape
        shape["required"] = list(shape.get("required", []))
        shape["members"] = {
            member: {key: value for key, value in of.items() if key in ("shape", "location", "locationName")}
            for member, of in shape.get("members", {}).items()
        }
        parts = [*shape["members"].values(), *(shape[key] for key in ("member", "key", "value") if key in shape)]
        for part in parts:
            self._keep(raw, part["shape"])


@dataclass
class _Check:
    """One request being checked: the constraints that failed so far."""

    shapes: Mapping[str, Mapping[str, Any]]
    problems: list[str] = field(default_factory=list)

    def value(self, name: str, value: Any, path: str, *, is_secret: bool = False) -> Any:
        """Check a value against the shape `name`; return it without nulls and unknown members."""
        shape = self.shapes[name]
        is_secret = is_secret or shape.get("sensitive", False) or name in NEVER_REPEATED
        match shape["type"]:
            case "structure":
                return self._structure(shape, _typed(value, dict), path, is_secret)
            case "list":
                items = [each for each in _typed(value, list) if each is not None]
                self._size(shape, len(items), items, path, is_secret)
                of = shape["member"]["shape"]
                return [
                    self.value(of, each, f"{path}.{number}.member", is_secret=is_secret)
                    for number, each in enumerate(items, 1)
                ]
            case "map":
                entries = {key: each for key, each in _typed(value, dict).items() if each is not None}
                self._size(shape, len(entries), entries, path, is_secret)
                key_shape, of = shape["key"]["shape"], shape["value"]["shape"]
                return {
                    self.value(key_shape, key, path, is_secret=is_secret): self.value(
                        of, each, f"{path}.member", is_secret=is_secret
                    )
                    for key, each in entries.items()
                }
            case "string":
                self._text(shape, _typed(value, str), path, is_secret)
            case "integer" | "long" as kind:
                self._number(shape, _whole(value, BITS[kind]), path)
            case "boolean":
                _typed(value, bool)
            case "timestamp":
                _instant(value)
        return value

    def _structure(self, shape: Mapping[str, Any], given: Members, path: str, is_secret: bool) -> Members:
        known = {name: given[name] for name in shape["members"] if given.get(name) is not None}
        prefix = f"{path}." if path else ""
        for name in shape["required"]:
            if name not in known:
                self._fail("null", f"{prefix}{name}", "Member must not be null")
        if shape.get("union") and len(known) != 1:
            self._fail("", path, "Member must have exactly one of its members set")
        return {
            name: self.value(shape["members"][name]["shape"], value, f"{prefix}{name}", is_secret=is_secret)
            for name, value in known.items()
        }

    def _text(self, shape: Mapping[str, Any], text: str, path: str, is_secret: bool) -> None:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise MalformedError("Half of a surrogate pair is no character") from error
        if not self._size(shape, len(text), text, path, is_secret):
            return
        shown = _shown(text, is_secret)
        allowed = shape.get("enum")
        if allowed is not None and text not in allowed:
            self._fail(shown, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
        pattern = shape.get("pattern")
        expression = None if pattern is None else _compiled(pattern)
        if expression is not None and expression.fullmatch(text) is None:
            self._fail(shown, path, f"Member must satisfy regular expression pattern: {pattern}")

    def _number(self, shape: Mapping[str, Any], number: int, path: str) -> None:
        if "min" in shape and number < shape["min"]:
            self._fail(f"'{number}'", path, f"Member must have value greater than or equal to {shape['min']}")
        if "max" in shape and number > shape["max"]:
            self._fail(f"'{number}'", path, f"Member must have value less than or equal to {shape['max']}")

    def _size(self, shape: Mapping[str, Any], size: int, value: object, path: str, is_secret: bool) -> bool:
        """Check a length; tells whether it is right."""
        count = len(self.problems)
        shown = _shown(value, is_secret)
        if size < shape.get("min", 0):
            self._fail(shown, path, f"Member must have length greater than or equal to {shape['min']}")
        if size > shape.get("max", size):
            self._fail(shown, path, f"Member must have length less than or equal to {shape['max']}")
        return len(self.problems) == count

    def _fail(self, shown: str, path: str, constraint: str) -> None:
        value = f"Value {shown}" if shown else "Value"
        self.problems.append(f"{value} at '{path}' failed to satisfy constraint: {constraint}")


def _load(service: str) -> dict[str, Any]:
    """Read a model from botocore's files. Its own loader takes half a second to import and looks into ~/.aws too."""
    folder = max((files("botocore") / "data" / service).iterdir(), key=lambda each: each.name)
    packed, plain = folder / "service-2.json.gz", folder / "service-2.json"
    text = gzip.decompress(packed.read_bytes()) if packed.is_file() else plain.read_bytes()
    model: dict[str, Any] = json.loads(text)
    return model


def parse_object(body: bytes) -> Members:
    """Parse the JSON object that a body has to be, {} for none; raises MalformedError."""
    try:
        value = json.loads(body or b"{}", parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedError("The request body is not JSON") from error
    if not isinstance(value, dict):
        raise MalformedError("The request body is not a JSON object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _from_text(kind: str, text: str) -> str | int:
    """Read a member that stands in the address or in a header."""
    if kind not in BITS:
        return text
    if INTEGER.fullmatch(text) is None:
        raise MalformedError(f"STRING_VALUE can not be converted to {kind.title()}")
    return int(text)


def _typed(value: Any, wanted: type) -> Any:
    if isinstance(value, wanted):
        return value
    names = {dict: "Structure", list: "List", str: "String", bool: "Boolean"}
    raise MalformedError(f"{_token(value)} can not be converted to {names[wanted]}")


def _whole(value: Any, bits: int) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or not -(2**bits) <= value < 2**bits:
        raise MalformedError(f"{_token(value)} can not be converted to {'Integer' if bits == 31 else 'Long'}")
    return int(value)


def _instant(value: Any) -> None:
    """Seconds since the epoch, with a fraction or without."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -LAST_INSTANT_S <= value <= LAST_INSTANT_S:
        raise MalformedError(f"{_token(value)} can not be converted to Timestamp")


def _token(value: object) -> str:
    """Name the kind of a JSON value."""
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    kinds: tuple[tuple[type, str], ...] = (
        (str, "STRING_VALUE"),
        (int, "NUMBER_VALUE"),
        (float, "DECIMAL_VALUE"),
        (list, "START_ARRAY"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "START_OBJECT")


def _shown(value: object, is_secret: bool) -> str:
    if is_secret:
        return ""
    return f"'{value if isinstance(value, str) else json.dumps(value)}'"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Compile a pattern of a model, None where it needs Java's character classes (names of tags alone do)."""
    try:
        return re.compile(pattern)
    except re.error:
        return None
