"""Prompt sets out of files: what is read, and how what is wrong is named."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.exceptions import InvalidInputError
from apps.metrics.prompt_sets.reading import MAX_BYTES, MAX_PROMPTS, FileError, Prompt, read_file

CSV = (
    'prompt,contains,max_ttft_ms,checks\n"Two days,\nin Ghent",Ghent,900,\n'
    'Hi,,,"[{""kind"": ""regex"", ""pattern"": ""H""}]"\n'
)
READ = [
    Prompt("Two days,\nin Ghent", [{"kind": "contains", "text": "Ghent"}, {"kind": "max_ttft", "ms": "900"}]),
    Prompt("Hi", [{"kind": "regex", "pattern": "H"}]),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_is_read_as_spreadsheets_write_it(encoding: str, newline: str) -> None:
    inside = newline if newline == "\n" else "\r\n"
    expected = [Prompt(READ[0].text.replace("\n", inside), READ[0].checks), READ[1]]

    assert read_file("Trips.CSV", CSV.replace("\n", newline).encode(encoding)) == expected


def test_jsonl_is_read_with_blank_lines_between() -> None:
    lines = [json.dumps({"prompt": prompt.text, "checks": prompt.checks}) for prompt in READ]

    assert read_file("trips.jsonl", "\r\n\n".join(lines).encode()) == READ
    assert read_file("trips.ndjson", b'{"prompt": "Hi"}') == [Prompt("Hi")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"Hi", "The file has to be .csv, .jsonl or .ndjson."),
        ("a.jsonl", b"\n\n", "The file holds no prompt."),
        ("a.jsonl", b'{"prompt": "Hi"}\nHi', "Line 2 is not JSON."),
        ("a.jsonl", b'{"prompt": "Hi"}\n\n"Hi"', "Line 3: A prompt is an object"),
        ("a.jsonl", b'{"prompt": " "}', "Line 1: The prompt is empty."),
        ("a.jsonl", b'{"prompt": "Hi", "check": []}', "Line 1: A prompt has no check, only `prompt` and `checks`."),
        ("a.jsonl", b'{"prompt": "Hi", "checks": [{}]}', "Line 1: Check 1 cannot be used: its kind"),
        ("a.jsonl", b'{"prompt": "Hi"}\n{"prompt": "\xff"}', "Line 2 is not UTF-8."),
        ("a.jsonl", b'{"prompt": "\\u0000"}', "Line 1: It holds characters that cannot be stored."),
        ("a.jsonl", b'{"prompt": "\\ud800"}', "Line 1: It holds characters that cannot be stored."),
        ("a.jsonl", b"[" * 100_000, "Line 1 is not JSON."),
        ("a.jsonl", b'{"prompt": "Hi"}\n' * (MAX_PROMPTS + 1), f"line {MAX_PROMPTS + 1} is one too many."),
        ("a.jsonl", b" " * (MAX_BYTES + 1), "at most 2,000,000 are read."),
        ("a.csv", b"question\nHi", "`prompt` among them."),
        ("a.csv", b"prompt,prompt\nHi,Ho", "each once"),
        ("a.csv", b"prompt,colour\nHi,red", "Line 1: no column 'colour' is known."),
        ("a.csv", b"prompt,contains\nHi", "Line 2 has another number of columns than the first line."),
        ("a.csv", b"prompt\nHi,Ho", "Line 2 has another number of columns"),
        ("a.csv", b'prompt\n"Hi', "is not CSV"),
        ("a.csv", b"prompt,checks\nHi,[", "Line 2: its checks are not JSON."),
        ("a.csv", b"prompt,checks\nHi,{}", "Line 2: its checks are no list."),
        ("a.csv", b"prompt,max_cost_usd\nHi,much", "Line 2: Check 1 cannot be used: its limit"),
    ],
)
def test_what_is_wrong_with_a_file_is_named_by_its_line(name: str, content: bytes, told: str) -> None:
    with pytest.raises(FileError) as refused:
        read_file(name, content)

    assert told in str(refused.value)


@given(st.sampled_from(["a.csv", "a.jsonl"]), st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_bytes_are_a_defect(name: str, content: bytes) -> None:
    with suppress(InvalidInputError):
        assert read_file(name, content)
