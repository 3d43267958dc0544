from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from apps.agentcore.invoking.host import AgentCoreHost


class AgentcoreConfig(AppConfig):
    name = "apps.agentcore"
    verbose_name = "AgentCore"

    def ready(self) -> None:
        from apps.agentcore.aws.health import check_aws  # noqa: PLC0415 -- app ready
        from apps.agents.models import Agent  # noqa: PLC0415 -- app ready
        from apps.core.running.health import register_check  # noqa: PLC0415 -- app ready
        from apps.costs import runs, runtime  # noqa: PLC0415 -- app ready
        from apps.sessions.engine import host  # noqa: PLC0415 -- app ready

        host.register(Agent.Kind.AGENTCORE.value, agentcore_host)
        register_check("aws", check_aws, required=False)
        runs.register_environment(Agent.Kind.AGENTCORE.value, runtime.run_usd)


def agentcore_host() -> AgentCoreHost:
    """A host that invokes runtimes. With it come AWS's clients, which most commands need not import."""
    from apps.agentcore.invoking.host import AgentCoreHost  # noqa: PLC0415 -- heavy, see above

    return AgentCoreHost()
