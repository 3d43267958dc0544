"""The account on AWS, beside the list of agents: asked when the page is there, which never waits for AWS."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.http import SignedInRequest
from apps.agentcore.aws.caller import caller
from apps.agentcore.aws.connection import current_connection
from apps.agentcore.exceptions import AgentRuntimeError
from apps.agentcore.importing.discovery import find_runtimes
from apps.agentcore.importing.forms import MAX_CHOSEN
from apps.aws.errors import AwsError
from apps.awsverify.permissions.check import check_aws
from apps.awsverify.permissions.choice import registered
from apps.core.exceptions import LoomError


@require_safe
def aws_account_fragment(request: SignedInRequest) -> HttpResponse:
    """Who AWS says that Loom is, and which runtimes of the account are not registered."""
    context: dict[str, Any] = {"region": settings.AWS_REGION, "limit": MAX_CHOSEN}
    try:
        context["identity"] = caller().identity()
        context["found"] = find_runtimes(settings.AWS_REGION)
    except AwsError as error:
        context["error"] = AgentRuntimeError(error)
    except LoomError as error:
        context["error"] = error
    else:
        context["shown"] = context["found"].unregistered[:MAX_CHOSEN]
    return render(request, "overview/_aws_account.html", context)


@require_safe
def aws_permissions_fragment(request: SignedInRequest) -> HttpResponse:
    """What `check_aws` says of the account and of one agent: every one needs the same, and each costs ten calls."""
    arn = next((arn.runtime_arn for arn in registered()[:1]), None)
    report = check_aws(current_connection(), arn)
    document = {"Version": "2012-10-17", "Statement": report.statements}
    context = {
        "report": report,
        "lacking": [one for one in report.findings if one.state == "missing" or one.statement is not None],
        "ok_count": sum(finding.state == "ok" for finding in report.findings),
        "untested": [finding.subject for finding in report.findings if finding.state == "untested"],
        "policy": json.dumps(document, indent=2) if report.statements else "",
    }
    return render(request, "overview/_aws_permissions.html", context)
