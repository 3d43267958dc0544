"""What Loom's own log says of a run."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from apps.sessions.engine.engine import Engine
from apps.sessions.tests.test_engine import Begin, run


@pytest.mark.agentcore
async def test_the_log_of_a_run_says_whose_it_is_and_how_it_went(
    running_engine: Engine, begin: Begin, emulator: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """S1-028, S1-029, S1-030: agent, session id, length of the prompt, chunks, size, duration; of a failure its stack
    trace; nothing of what was said.
    """
    prompt = "a prompt of its own"
    with caplog.at_level(logging.INFO):
        good, _ = await run(running_engine, begin, prompt=prompt)
        emulator.order(kind="error", code="AccessDeniedException", message="not for you")
        bad, _ = await run(running_engine, begin, prompt=prompt)

    said = [record for record in caplog.records if record.getMessage().startswith("invocation ")]
    whose = [f"agent={one.session.agent_id} session={one.session.runtime_session_id}" for one in (good, good, bad, bad)]
    texts = [record.getMessage() for record in said if "http_status=" not in record.getMessage()]
    assert [mine in text for mine, text in zip(whose, texts, strict=True)] == [True] * 4
    assert texts[0].endswith(f"prompt_length={len(prompt)}")
    assert re.search(r"^invocation completed .* chunks=[1-9]\d* bytes=[1-9]\d+ duration_ms=[1-9]\d* code=-$", texts[1])
    assert re.search(r"^invocation failed .* code=AccessDeniedException$", texts[3])
    traced = [record for record in said if record.exc_info]
    assert len(traced) == 1 and whose[2] in traced[0].getMessage()
    assert "Traceback" in caplog.text and prompt not in caplog.text
