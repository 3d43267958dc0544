"""A prompt set in the terminal and in continuous integration: run over the API, watched, told, written as JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any
from xml.etree import ElementTree

from django.core.management.base import CommandError

from apps.core.text.escapes import shown_in_terminal
from loom.cli.terminal import FAILED, STOPPED, in_words, on_a_line
from loom_client import Client, ListedPlan, Plan, PromptSet
from loom_client.wording import did_you_mean, in_sentences

LOOK_EVERY_S = 1.0
TITLE_LENGTH = 80
# What XML 1.0 cannot hold, however it is escaped.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def find_set(client: Client, text: str) -> PromptSet:
    """The newest set of this name or id."""
    sets = client.prompt_sets()
    for one in sets:
        if text in {one.name, str(one.id)}:
            return one
    said = in_sentences(f"No prompt set is called {text!r}", did_you_mean(text, sorted({one.name for one in sets})))
    raise CommandError(shown_in_terminal(said), returncode=FAILED)


def set_lines(prompt_set: PromptSet) -> Iterator[str]:
    """A set as a terminal shows it: its prompts with their numbers and checks."""
    yield f"[{prompt_set.id}] {on_a_line(prompt_set.name)}"
    for number, prompt in enumerate(prompt_set.prompts, 1):
        yield f"{number}. {on_a_line(prompt['prompt'])}"
        for check in prompt["checks"]:
            yield f"     {on_a_line(_check_line(check))}"


def _check_line(check: Mapping[str, Any]) -> str:
    words = (f"{name} {json.dumps(value, ensure_ascii=False)}" for name, value in check.items() if name != "kind")
    return f"{check['kind']}: {', '.join(words)}"


def plan_line(plan: ListedPlan) -> str:
    message = f"  {on_a_line(plan.message)}" if plan.message else ""
    return f"[{plan.id}] {plan.created_at[:19]}Z  {plan.state:<9}  {plan.done} of {plan.run_count} runs{message}"


def prompt_at(prompt_set: PromptSet, number: int | str) -> dict[str, Any]:
    """The prompt with this number, as `set_lines` shows it. Raises CommandError."""
    count = len(prompt_set.prompts)
    place = int(number) if str(number).isdecimal() and len(str(number)) < 10 else 0
    if not 1 <= place <= count:
        raise CommandError(
            f"The set has the prompts 1 to {count}, and none with the number {number}.", returncode=FAILED
        )
    return prompt_set.prompts[place - 1]


def find_target(client: Client, text: str) -> tuple[int, str]:
    """An agent's id and an endpoint, of AGENT or AGENT:ENDPOINT; an ARN has colons of its own."""
    before, _, after = text.rpartition(":")
    agent, qualifier = (before, after) if before and "/" not in after else (text, "DEFAULT")
    return client.find_agent(agent).id, qualifier


def run(client: Client, prompt_set: PromptSet, targets: Sequence[str], output: Any, **options: Any) -> Plan:
    """Run a set to its end and say how far it is; Ctrl-C cancels it, and what was found is kept."""
    plan = client.run_prompt_set(prompt_set.id, [find_target(client, text) for text in targets], **options)
    pause, told = Event(), -1
    try:
        while plan.is_running:
            if plan.done != told:
                told = plan.done
                output.write(f"{plan.done} of {plan.run_count} runs are over")
            pause.wait(LOOK_EVERY_S)
            plan = client.plan(plan.id)
    except KeyboardInterrupt:
        client.cancel_plan(plan.id)
        raise CommandError("Cancelled. What was found is kept.", returncode=STOPPED) from None
    return plan


def describe(plan: Plan) -> Iterator[str]:
    """What each target's answers were worth, and how each two compare."""
    names = [name_of(target) for target in plan.targets]
    for name, target in zip(names, plan.targets, strict=True):
        passed, ttft = target["passed"], target["time_to_first_token"]
        share = "nothing is over" if passed is None else _share(passed)
        p50 = "" if ttft["p50_ms"] is None else f" · TTFT p50 {_between(ttft, in_words)}, n = {ttft['n']}"
        yield f"{name}: {share}{p50}"
    for one in plan.comparisons:
        found = one["passed"]
        if found is not None:
            yield (
                f"{names[one['second']]} − {names[one['first']]}: {found['difference']:+.0%} passed "
                f"(95 %: {found['low']:+.0%} – {found['high']:+.0%}, n = {found['n']})"
            )
    yield f"order {plan.order}, seed {plan.seed}, plan {plan.id}"


def name_of(target: Mapping[str, Any]) -> str:
    return shown_in_terminal(f"{target['agent_name']}:{target['qualifier']}")


def _share(passed: Mapping[str, Any]) -> str:
    interval = f"95 %: {passed['low']:.0%} – {passed['high']:.0%}"
    return f"{passed['count']} of {passed['n']} prompts passed, {passed['share']:.0%} ({interval})"


def _between(found: Mapping[str, Any], said: Any) -> str:
    return f"{said(found['p50_ms'])} (95 %: {said(found['low_ms'])} – {said(found['high_ms'])})"


def failure(plan: Plan, fail_under: float) -> str:
    """Why a plan does not count as passed, "" where it does: every target has to reach the share."""
    if plan.state != "done" or plan.done != plan.run_count:
        said = f"The plan was {plan.state} after {plan.done} of {plan.run_count} runs"
        return shown_in_terminal(in_sentences(said, plan.message))
    below = [
        name_of(target)
        for target in plan.targets
        if target["passed"] is None or target["passed"]["count"] < fail_under * target["passed"]["n"]
    ]
    return f"Below {fail_under:g}: {', '.join(below)}" if below else ""


def write_junit(plan: Plan, file: Path) -> None:
    """A suite for each target, a case for each of its runs: a failure where a check was not met, an error where the run
    was not completed, skipped where it never began.
    """
    root = ElementTree.Element("testsuites", name=_xml(plan.name))
    for at, target in enumerate(plan.targets):
        runs = [one for one in plan.runs if one["target"] == at]
        suite = ElementTree.SubElement(root, "testsuite", name=_xml(f"{target['agent_name']}:{target['qualifier']}"))
        kinds = [_case(suite, plan, one) for one in sorted(runs, key=lambda one: (one["prompt"], one["repeat"]))]
        missing = plan.run_count // len(plan.targets) - len(runs)
        for number in range(missing):
            case = ElementTree.SubElement(suite, "testcase", classname=_xml(plan.name), name=f"not begun {number + 1}")
            ElementTree.SubElement(case, "skipped", message=_xml(plan.message or plan.state))
        counts = {"tests": len(runs) + missing, "failures": kinds.count("failure"), "errors": kinds.count("error")}
        for name, count in {**counts, "skipped": missing}.items():
            suite.set(name, str(count))
        suite.set("time", f"{sum(_seconds(one) for one in runs):.3f}")
    ElementTree.indent(root)
    file.write_bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(suite: ElementTree.Element, plan: Plan, run: Mapping[str, Any]) -> str:
    lines = plan.prompts[run["prompt"]].strip().splitlines() or ["(removed)"]
    repeat = f" · {run['repeat'] + 1}" if run["repeat"] else ""
    name = f"{run['prompt'] + 1}: {lines[0][:TITLE_LENGTH]}{repeat}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=_xml(plan.name), name=_xml(name), time=f"{_seconds(run):.3f}"
    )
    if run["has_passed"]:
        return ""
    kind = "failure" if run["status"] == "completed" else "error"
    unmet = [finding for finding in run["findings"] if not finding["has_passed"]]
    said = "; ".join(f"{finding['kind']}: {finding['reason']}" for finding in unmet) or "it is not over"
    ElementTree.SubElement(case, kind, message=_xml(said)).text = _xml(f"run {run['run_id']}, {run['session_id']}")
    return kind


def _seconds(run: Mapping[str, Any]) -> float:
    return float(run["total_latency_ms"] or 0) / 1000


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)
