from __future__ import annotations

import pytest

from loom_client.wording import close_names, did_you_mean, in_sentences

NAMES = ["travel_concierge", "contract_reviewer", "code_tutor", "inventory_analyst", "claims_intake", "travel_agent"]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("It was not found", "It does not exist"), "It was not found. It does not exist."),
        (("It was not found.", "It does not exist."), "It was not found. It does not exist."),
        (("Really?", "Yes!", "Wait…"), "Really? Yes! Wait…"),
        (("It said \"no.\"", "Look (there)"), "It said \"no.\" Look (there)."),
        (("He said “stop!”", "see above:"), "He said “stop!” see above."),
        (("", "  Only this ", "", "\n"), "Only this."),
        (("見つかりません。", "Look"), "見つかりません。 Look."),
        (("first line\nsecond line\n", "Look"), "first line\nsecond line. Look."),
        (("rate table of region 7 is not available", "The agent itself reported this.", "AWS request id 1-2"),
         "rate table of region 7 is not available. The agent itself reported this. AWS request id 1-2."),
        ((), ""),
    ],
)  # fmt: skip
def test_parts_become_sentences(parts: tuple[str, ...], said: str) -> None:
    assert in_sentences(*parts) == said
    assert in_sentences(said) == said


@pytest.mark.parametrize(
    ("text", "close"),
    [
        ("travel_concierg", ["travel_concierge"]),
        ("Travel-Concierge", ["travel_concierge"]),
        ("travel concierge", ["travel_concierge"]),
        ("concierge", ["travel_concierge"]),
        ("travel", ["travel_agent", "travel_concierge"]),
        ("cod_tutro", ["code_tutor"]),
        ("nobody", []),
        ("", []),
        ("x" * 100_000, []),
    ],
)
def test_names_that_may_have_been_meant(text: str, close: list[str]) -> None:
    assert close_names(text, NAMES) == close


def test_at_most_three_are_named() -> None:
    assert did_you_mean("agent_1", [f"agent_{number}" for number in range(10, 40)]) == (
        "Did you mean agent_10, agent_11 or agent_12?"
    )
    assert did_you_mean("agent_x", ["agent_y", "agent_z"]) == "Did you mean agent_y or agent_z?"
    assert did_you_mean("agent", ["agents"]) == "Did you mean agents?"
    assert did_you_mean("agent", []) == ""
