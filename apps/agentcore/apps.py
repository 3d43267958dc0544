from __future__ import annotations

from django.apps import AppConfig


class AgentcoreConfig(AppConfig):
    name = "apps.agentcore"
    verbose_name = "AgentCore"

    def ready(self) -> None:
        from apps.agentcore.aws.health import check_aws  # noqa: PLC0415 -- app ready
        from apps.agentcore.invoking.host import AgentCoreHost  # noqa: PLC0415 -- app ready
        from apps.core.running.health import register_check  # noqa: PLC0415 -- app ready
        from apps.sessions.engine import host  # noqa: PLC0415 -- app ready

        host.register(AgentCoreHost.kind, AgentCoreHost)
        register_check("aws", check_aws, required=False)
