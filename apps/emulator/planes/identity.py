"""STS GetCallerIdentity over the query protocol: who the dummy credentials are."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response

from apps.emulator.aws_wire import STS_NAMESPACE, AwsError, new_request_id, require_signature


async def answer_sts(request: Request, account_id: str) -> Response:
    """Answer a form-encoded STS request; raises the AwsError InvalidAction for everything but GetCallerIdentity."""
    require_signature(request)
    form = (await request.body()).decode("utf-8", "replace")
    action = parse_qs(form).get("Action", [""])[0]
    if action != "GetCallerIdentity":
        raise AwsError(400, "InvalidAction", f"Could not find operation {action} for version 2011-06-15")
    request_id = new_request_id()
    body = (
        f'<GetCallerIdentityResponse xmlns="{STS_NAMESPACE}"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{account_id}:user/emulated</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>"
        f"<Account>{account_id}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return Response(body, 200, {"x-amzn-RequestId": request_id}, media_type="text/xml")
