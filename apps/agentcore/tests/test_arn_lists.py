from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.agentcore.importing.arn_lists import ArnEntry, ArnListError, ListFormat, read_arns

ONE = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/one-AbCdEf1234"
TWO = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/two-AbCdEf1234"
ROLE = "arn:aws:iam::123456789012:role/agents"
TOOLKIT = f"""default_agent: one
agents:
  one:
    entrypoint: main.py
    aws:
      execution_role: {ROLE}
    bedrock_agentcore:
      agent_arn: {ONE}  # as deployed
      agent_session_id: null
  three:
    bedrock_agentcore:
      agent_arn: null
  four:
    agent_arn: nonsense
    memory_arn: arn:aws:bedrock-agentcore:us-east-1:123456789012:memory/x-AbCdEf1234
"""
PRINTED_TABLE = f"""-----------------
|  ListAgentRuntimes  |
+---------------------+
||  agentRuntimes     ||
||  agentRuntimeArn  |  {ONE}  ||
||  agentRuntimeName |  one    ||
+---------------------+
|  {TWO}  |
"""


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (f"# mine\n{ONE}\n\n  {TWO}  # staging\r\n", [("line 2", ONE), ("line 4", TWO)]),
        (f"\ufeff{ONE}", [("line 1", ONE)]),
        ("not an arn\n", [("line 1", "not an arn")]),
        (f"Name;ARN;team\n# later\nx;{ONE};a\ny\n", [("line 3", ONE), ("line 4", "")]),
        (f'arn\n"{ONE}"\n', [("line 2", ONE)]),
        (f'name,arn\n"two\nlines",{ONE}\nz,{TWO}\n', [("line 3", ONE), ("line 4", TWO)]),
        (json.dumps([ONE, {"arn": TWO, "name": "x"}]), [("item 1", ONE), ("item 2", TWO)]),
        (json.dumps({"agentRuntimes": [{"agentRuntimeArn": ONE}]}), [("item 1", ONE)]),
        (json.dumps([1, None, {"name": "x"}, {"arn": 2}]), [(f"item {number}", "") for number in (1, 2, 3, 4)]),
        (f'"{ONE}",\n[{TWO}];\n', [("line 1", ONE), ("line 2", TWO)]),
        (f"{ONE}, {TWO}\nnot one", [("line 1", ONE), ("line 1", TWO), ("line 2", "not one")]),
        (f"{ONE}\tREADY\nAGENTRUNTIMES\t{TWO}\ttwo\n", [("line 1", ONE), ("line 2", TWO)]),
        (f"arn={ONE}\nother=x\narn = nonsense\n", [("line 1", ONE), ("line 3", "nonsense")]),
        (f"Agent ARN,name\n{ONE},x\n,y\n", [("line 2", ONE), ("line 3", "")]),
        (f"name\tagent_runtime_arn\nx\t{ONE}\n", [("line 2", ONE)]),
        (json.dumps({"agentRuntimeArn": ONE, "roleArn": ROLE, "status": "READY"}), [("item 1", ONE)]),
        (json.dumps({"agents": {"a": {"bedrock_agentcore": {"agent_arn": ONE}}}}), [("item 1", ONE)]),
        (f'{{"arn": "{ONE}"}}\n\n{{"arn": "{TWO}"}}\n', [("item 1", ONE), ("item 2", TWO)]),
        (TOOLKIT, [("line 8", ONE), ("line 14", "nonsense")]),
        (PRINTED_TABLE, [("line 5", ONE), ("line 8", TWO)]),
        (json.dumps([{"AgentRuntimeArn": ONE}, {"ARN": TWO}]), [("item 1", ONE), ("item 2", TWO)]),
        (json.dumps([{"runtime": {"arn": ONE}, "roleArn": ROLE}]), [("item 1", ONE)]),
        (f"['{ONE}', '{TWO}']", [("line 1", ONE), ("line 1", TWO)]),
        (f'[\n// mine\n"{ONE}",\n"{TWO}",\n]', [("line 3", ONE), ("line 4", TWO)]),
        (f'[agents]\na = "{ONE}"\n', [("line 2", ONE)]),
        ("", []),
        ("# nothing\n\n", []),
        ("[]", []),
    ],
)
def test_lists_are_read_with_the_place_of_each_entry(text: str, entries: list[tuple[str, str]]) -> None:
    assert read_arns(text) == [ArnEntry(*entry) for entry in entries]


@pytest.mark.parametrize("header", ["name,runtime\n", "name,link\n", ""])
def test_the_arns_of_a_csv_are_found_without_their_column(header: str) -> None:
    text = f'{header}x,{ONE}\n"y, z",{TWO}\n'

    first = header.count("\n") + 1
    expected = [ArnEntry(f"line {first}", ONE), ArnEntry(f"line {first + 1}", TWO)]
    assert read_arns(text, "csv") == expected


@pytest.mark.parametrize(
    ("text", "list_format", "message"),
    [
        ("[one]", None, "This is not JSON at line 1. Expected a list of ARNs or of objects with arn."),
        ("[" * 100_000, None, "This is not JSON. Expected a list of ARNs or of objects with arn."),
        ('{"arn": 1}', None, "The JSON is not a list. Expected a list of ARNs or of objects with arn."),
        ("3", "json", "The JSON is not a list. Expected a list of ARNs or of objects with arn."),
        (
            "# c\nname,runtime\nx,y\n",
            "csv",
            "The first line of the CSV names no column arn. Expected a header such as: name,arn.",
        ),
        (f"arn\n{'x' * 200_000}\n", None, "The CSV cannot be read at line 2: field larger than field limit (131072)."),
    ],
)
def test_what_is_no_list_is_refused_as_a_whole(text: str, list_format: ListFormat | None, message: str) -> None:
    with pytest.raises(ArnListError) as refusal:
        read_arns(text, list_format)

    assert str(refusal.value) == message


ARNS = st.from_regex(
    r"arn:aws:bedrock-agentcore:us-east-1:[0-9]{12}:runtime/[a-z]{1,9}-[A-Za-z0-9]{10}", fullmatch=True
)
CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


@given(st.lists(st.tuples(ARNS, CELLS), min_size=1))
def test_every_format_gives_the_same_arns_back(rows: list[tuple[str, str]]) -> None:
    arns = [arn for arn, _ in rows]
    table = io.StringIO()
    csv.writer(table).writerows([("arn", "note"), *rows])

    for text in ("\n".join(arns), json.dumps(arns), json.dumps([{"arn": arn} for arn in arns]), table.getvalue()):
        assert [entry.text for entry in read_arns(text)] == arns


@given(st.text() | st.text(alphabet='[]{}",;\t#\r\n"arn01'), st.sampled_from([None, "lines", "csv", "json"]))
def test_any_text_is_read_or_refused(text: str, list_format: ListFormat | None) -> None:
    try:
        entries = read_arns(text, list_format)
    except ArnListError:
        return
    assert all(entry.text == entry.text.strip() for entry in entries)
