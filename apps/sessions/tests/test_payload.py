from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.sessions.payload import build_payload


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({"prompt": "{{prompt}}"}, {"prompt": 'say "hi"'}),
        ({"input": {"text": "Q: {{prompt}}!", "n": 3}}, {"input": {"text": 'Q: say "hi"!', "n": 3}}),
        ([{"content": ["{{prompt}}"]}, None, True], [{"content": ['say "hi"']}, None, True]),
        ("{{prompt}}", 'say "hi"'),
        ({"fixed": 1}, {"fixed": 1}),
    ],
)  # fmt: skip
def test_the_prompt_stands_where_the_template_says(template: Any, expected: Any) -> None:
    assert json.loads(build_payload(template, 'say "hi"')) == expected


@given(st.text())
def test_no_prompt_changes_the_structure_of_the_body(prompt: str) -> None:
    body = json.loads(build_payload({"prompt": "{{prompt}}", "safe": [1]}, prompt))

    assert body == {"prompt": prompt, "safe": [1]}
