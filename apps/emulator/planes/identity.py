"""STS GetCallerIdentity over the query protocol: who the dummy credentials are."""

from __future__ import annotations

from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.responses import Response

from apps.emulator.aws_wire import new_request_id

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer_sts(form: bytes, account_id: str) -> Response:
    """Answer a form-encoded STS request: GetCallerIdentity, or InvalidAction for everything else."""
    action = parse_qs(form.decode("utf-8", "replace")).get("Action", [""])[0]
    request_id = new_request_id()
    if action == "GetCallerIdentity":
        body = (
            f'<GetCallerIdentityResponse xmlns="{NAMESPACE}"><GetCallerIdentityResult>'
            f"<Arn>arn:aws:iam::{account_id}:user/emulated</Arn><UserId>AIDACKCEVSQ6C2EXAMPLE</UserId>"
            f"<Account>{account_id}</Account></GetCallerIdentityResult>"
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        )
        status = 200
    else:
        body = (
            f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>InvalidAction</Code>'
            f"<Message>Could not find operation {escape(action)} for version 2011-06-15</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        status = 400
    return Response(body, status, {"x-amzn-RequestId": request_id}, media_type="text/xml")
