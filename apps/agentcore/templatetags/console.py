"""Where AWS's console shows what a page names; "" for an agent of the emulator, which no console knows."""

from __future__ import annotations

from django import template

from apps.agents.models import Agent
from apps.aws import console
from apps.aws.arn import RuntimeArn

register = template.Library()


def _arn_on_aws(agent: Agent | str | None) -> RuntimeArn | None:
    """The ARN of an agent whose runtime is on AWS; templates give an empty string for what a context lacks."""
    if not isinstance(agent, Agent) or agent.origin != "aws" or not hasattr(agent, "runtime"):
        return None
    return agent.runtime.parsed_arn


@register.filter
def runtime_in_console(agent: Agent | str | None) -> str:
    arn = _arn_on_aws(agent)
    return console.runtime_url(arn) if arn else ""


@register.filter
def group_in_console(log_group: str, agent: Agent | str | None) -> str:
    arn = _arn_on_aws(agent)
    return console.log_group_url(arn, log_group) if arn and log_group else ""


@register.simple_tag
def stream_in_console(stream: str, log_group: str, agent: Agent | str | None) -> str:
    arn = _arn_on_aws(agent)
    return console.log_stream_url(arn, log_group, stream) if arn else ""


@register.filter
def trace_in_console(trace_id: str, agent: Agent | str | None) -> str:
    arn = _arn_on_aws(agent)
    return console.trace_url(arn, trace_id) if arn else ""


@register.filter
def log_group_of(agent: Agent, qualifier: str) -> str:
    """The log group of one endpoint of an agent: each has its own."""
    return agent.runtime.parsed_arn.log_group(qualifier)
