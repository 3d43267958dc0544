from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q, QuerySet

from apps.agentcore.importing.bulk import Refreshment, refresh_many
from apps.agentcore.importing.report import Report, said_once
from apps.agentcore.selectors import with_runtime
from apps.agents.models import Agent
from apps.agents.selectors import in_use
from apps.aws.arn import InvalidArnError, RuntimeArn
from apps.core.commands import LoomCommand
from loom_client.wording import did_you_mean, in_sentences

NOTHING_USABLE = 2
INTERRUPTED = 130


class Command(LoomCommand):
    help = (
        "Read agents from AWS again and say what changed; nothing is removed. Exit status: 0 all were read, "
        "1 some were not or are gone, 2 none could be read."
    )
    examples = (
        "",
        "travel_concierge",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agents", nargs="*", metavar="NAME|ARN", help="which ones; all without any")

    def handle(self, *args: Any, **options: Any) -> None:
        registered = with_runtime(Agent.objects.filter(in_use(), removed_at=None))
        chosen, unknown = _choose(registered, options["agents"]) if options["agents"] else (registered, [])
        names = list(registered.values_list("name", flat=True)) if unknown else []
        for name in unknown:
            self.stderr.write(in_sentences(f"{name}: no such agent is registered", did_you_mean(name, names)))
        counts = self._refresh(chosen)
        counts["failed"] += len(unknown)
        if counts["failed"] + counts["gone"] == 0:
            return
        if counts["read"] == 0:
            reason = "AWS could not be reached." if counts["unreachable"] else "No agent could be read."
            raise CommandError(reason, returncode=NOTHING_USABLE)
        raise CommandError(f"{counts['failed']} were not read, {counts['gone']} are gone.", returncode=1)

    def _refresh(self, agents: QuerySet[Agent]) -> Counter[str]:
        report = Report(self.stdout, agents.count())
        counts: Counter[str] = Counter()
        try:
            with said_once():
                for done in refresh_many(agents):
                    counts["gone" if done.is_gone else "failed" if done.error else "read"] += 1
                    counts["changed"] += bool(done.changes)
                    counts["unreachable"] += done.is_unreachable
                    report.add(f"{done.agent.name} ({done.agent.runtime.region}): {_describe(done)}")
        except KeyboardInterrupt:
            report.finish(_summary(counts, report.elapsed_s))
            raise CommandError("Interrupted. What was read is stored.", returncode=INTERRUPTED) from None
        report.finish(_summary(counts, report.elapsed_s))
        return counts


def _choose(registered: QuerySet[Agent], wanted: list[str]) -> tuple[QuerySet[Agent], list[str]]:
    """The agents of these names and ARNs, and what matched none. A name may stand for agents of several regions."""
    arns = {text: _runtime_arn(text) for text in wanted}
    chosen = registered.filter(Q(name__in=wanted) | Q(runtime__arn__in=arns.values()))
    found = {text for pair in chosen.values_list("name", "runtime__arn") for text in pair}
    return chosen, [text for text in wanted if not {text, arns[text]} & found]


def _runtime_arn(text: str) -> str:
    try:
        return RuntimeArn.parse(text).runtime_arn
    except InvalidArnError:
        return text


def _describe(done: Refreshment) -> str:
    if done.is_gone:
        return f"gone: AWS no longer knows it; it keeps its last status, {done.agent.status}"
    if done.error is not None:
        return f"not read: {done.error.text()}"
    return "; ".join(done.changes) or "unchanged"


def _summary(counts: Counter[str], elapsed_s: float) -> str:
    return (
        f"{counts['read']} read, {counts['changed']} of them changed, {counts['gone']} gone, "
        f"{counts['failed']} not read in {elapsed_s:.1f} s"
    )
