"""The emulator as an ASGI application: AWS's operations, and its own under /_emulator/."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.emulator.account import EmulatedAccount
from apps.emulator.aws_wire import AwsError, EncodedRoute, error_in_protocol_of, is_query, new_request_id
from apps.emulator.config import is_loopback
from apps.emulator.planes import metrics_plane
from apps.emulator.planes.control_plane import ControlPlane
from apps.emulator.planes.data_plane import InvokeEndpoint, StopEndpoint, data_plane_model
from apps.emulator.planes.identity import answer_sts
from apps.emulator.planes.logs_plane import LogsPlane
from apps.emulator.planes.metrics_plane import MetricsPlane
from apps.emulator.planes.own_routes import OwnRoutes


def create_application(account: EmulatedAccount) -> Starlette:
    """Build the application of one account."""
    logs = LogsPlane(account)
    metrics = MetricsPlane(account)
    data_plane = data_plane_model()

    async def root(request: Request) -> Response:
        """Services without paths: CloudWatch and its Logs name their operation in a header, STS in a form."""
        target = request.headers.get("x-amz-target", "")
        if target.startswith(metrics_plane.TARGET_PREFIX):
            return await metrics.answer(request)
        if target:
            return await logs.answer(request)
        if is_query(request):
            return await answer_sts(request, account.account_id)
        return unknown_operation()

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        janitor = asyncio.create_task(account.environments.run_janitor())
        yield
        janitor.cancel()
        with suppress(asyncio.CancelledError):
            await janitor
        await account.environments.close()

    routes = [
        EncodedRoute("/runtimes/{agentRuntimeArn:path}/invocations", OnlyPost(InvokeEndpoint(account, data_plane))),
        EncodedRoute(
            "/runtimes/{agentRuntimeArn:path}/stopruntimesession",
            StopEndpoint(account, data_plane).__call__,
            methods=["POST"],
        ),
        *ControlPlane(account).routes(),
        *OwnRoutes(account).routes(),
        Route("/", root, methods=["POST"]),
    ]
    application = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(LoopbackHostOnly)],
        exception_handlers={AwsError: answer_error, HTTPException: answer_unknown, Exception: answer_failure},
    )
    application.router.redirect_slashes = False
    return application


class OnlyPost:
    """Answers other methods than POST as unknown operations."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await self._application(scope, receive, send)
        else:
            await unknown_operation()(scope, receive, send)


class LoopbackHostOnly:
    """Refuses requests addressed to another host: a page of the web cannot reach the emulator through its own name."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_loopback(Request(scope).url.hostname or ""):
            await Response("the emulator serves loopback only", 403)(scope, receive, send)
            return
        await self._application(scope, receive, send)


def unknown_operation() -> Response:
    """What AWS's REST services answer to a path or method they do not know."""
    return Response(
        '{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
        404,
        {"x-amzn-RequestId": new_request_id(), "x-amzn-ErrorType": "UnknownOperationException"},
        media_type="application/json",
    )


async def answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AwsError)
    return error_in_protocol_of(request, error)


async def answer_unknown(request: Request, error: Exception) -> Response:
    return unknown_operation()


async def answer_failure(request: Request, error: Exception) -> Response:
    return error_in_protocol_of(request, AwsError(500, "InternalServerException", "An internal error occurred"))
