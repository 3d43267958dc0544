"""The metrics that others put into CloudWatch, by PutMetricData; they can be read as soon as they are there."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.emulator.aws_wire import AwsError

MAX_DATA = 1_000
MAX_VALUES = 150
MAX_DIMENSIONS = 30
MAX_BYTES = 1_000_000
KEPT = 100_000  # data points; the oldest go first
RESERVED = "AWS/"

Key = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, metric, dimensions."""


@dataclass(frozen=True, slots=True)
class Datum:
    at: float
    values: tuple[tuple[float, float], ...]
    """Each value, and how often it was there."""


class PutMetrics:
    """What was put, by region."""

    def __init__(self) -> None:
        self._data: dict[tuple[str, Key], list[Datum]] = defaultdict(list)
        self._count = 0

    def put(self, region: str, body: dict[str, Any], now: float) -> None:
        """Keep the data of a request, all of it or none; raises AwsError."""
        namespace, data = body["Namespace"], body.get("MetricData", [])
        if namespace.startswith(RESERVED):
            raise _invalid(f"The value {RESERVED} for parameter Namespace is invalid.")
        if not 1 <= len(data) <= MAX_DATA:
            raise _invalid(f"The collection MetricData must have 1 to {MAX_DATA} entries.")
        read = [_read(namespace, raw, now) for raw in data]
        for key, datum in read:
            self._data[region, key].append(datum)
        self._count += len(read)
        while self._count > KEPT:
            oldest = next(iter(self._data))
            self._count -= len(self._data.pop(oldest))

    def values(self, region: str, key: Key) -> Iterator[tuple[float, float]]:
        """When, and what: each value as often as it was put."""
        for datum in self._data.get((region, key), ()):
            for value, count in datum.values:
                yield from ((datum.at, value) for _ in range(round(count)))


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body of a request that may be compressed, as boto3 does with large ones."""
    if encoding.lower() != "gzip":
        return body
    try:
        plain = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise _invalid("The body is no gzip.") from error
    if len(plain) > MAX_BYTES:
        raise AwsError(413, "RequestEntityTooLarge", "The request is larger than 1 MB.")
    return plain


def key_of(metric: dict[str, Any]) -> Key:
    """What names a metric in a request."""
    dimensions = frozenset((each["Name"], each["Value"]) for each in metric.get("Dimensions", []))
    return metric["Namespace"], metric["MetricName"], dimensions


def _read(namespace: str, raw: dict[str, Any], now: float) -> tuple[Key, Datum]:
    if len(raw.get("Dimensions", [])) > MAX_DIMENSIONS:
        raise _invalid(f"The collection Dimensions must not have more than {MAX_DIMENSIONS} entries.")
    if sum(name in raw for name in ("Value", "Values", "StatisticValues")) != 1 or "StatisticValues" in raw:
        raise _invalid("The emulator takes either Value or Values with Counts.")
    values = raw["Values"] if "Values" in raw else [raw["Value"]]
    counts = raw.get("Counts") or [1.0] * len(values)
    if len(values) != len(counts) or not 1 <= len(values) <= MAX_VALUES:
        raise _invalid(f"Values and Counts must have the same 1 to {MAX_VALUES} entries.")
    at = raw.get("Timestamp", now)
    if not now - 14 * 86_400 <= at <= now + 7_200:
        raise _invalid("The parameter Timestamp must not be more than two weeks old or two hours ahead.")
    return key_of({**raw, "Namespace": namespace}), Datum(at, tuple(zip(values, counts, strict=True)))


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidParameterValueException", message)
