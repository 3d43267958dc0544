"""The emulator's own surface under /_emulator/: ground truth to compare with, and faults to order. Not part of AWS.

GET    /_emulator/health
GET    /_emulator/invocations?session_id=…&runtime_id=…    what really happened, oldest first
GET    /_emulator/environments?session_id=…                the environments that exist now
POST   /_emulator/faults    {"kind": "cut", "after_chunks": 5, "count": 1, …}    see apps.emulator.faults.Fault
DELETE /_emulator/faults    forget all orders
DELETE /_emulator/silences  let invocations go on that are silent, as ordered, or about to be
POST   /_emulator/clock     {"advance_s": 900}    let environments and deployments age
"""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from apps.emulator.account import EmulatedAccount
from apps.emulator.faults import FaultError, read_fault


class OwnRoutes:
    def __init__(self, account: EmulatedAccount) -> None:
        self._account = account

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "seed": self._account.seed})

    async def invocations(self, request: Request) -> Response:
        parameters = request.query_params
        records = self._account.ledger.select(parameters.get("session_id"), parameters.get("runtime_id"))
        return JSONResponse([record.as_json() for record in records])

    async def environments(self, request: Request) -> Response:
        return JSONResponse(self._account.environments.describe(request.query_params.get("session_id")))

    async def order_fault(self, request: Request) -> Response:
        try:
            self._account.faults.add(read_fault(await self._order(request)))
        except FaultError as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=204)

    async def clear_faults(self, request: Request) -> Response:
        self._account.faults.clear()
        return Response(status_code=204)

    async def end_silences(self, request: Request) -> Response:
        self._account.faults.end_silences()
        return Response(status_code=204)

    async def advance_clock(self, request: Request) -> Response:
        try:
            seconds = (await self._order(request)).get("advance_s")
        except FaultError as error:
            return JSONResponse({"error": str(error)}, 400)
        if not isinstance(seconds, int | float) or seconds < 0:
            return JSONResponse({"error": "advance_s must be a number of seconds, not negative"}, 400)
        self._account.clock.advance(seconds)
        self._account.environments.expire()
        return Response(status_code=204)

    def routes(self) -> list[Route]:
        return [
            Route("/_emulator/health", self.health, methods=["GET"]),
            Route("/_emulator/invocations", self.invocations, methods=["GET"]),
            Route("/_emulator/environments", self.environments, methods=["GET"]),
            Route("/_emulator/faults", self.order_fault, methods=["POST"]),
            Route("/_emulator/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_emulator/silences", self.end_silences, methods=["DELETE"]),
            Route("/_emulator/clock", self.advance_clock, methods=["POST"]),
        ]

    async def _order(self, request: Request) -> dict[str, Any]:
        # A page of the web can post text across origins, but not JSON.
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise FaultError("the body must be application/json")
        try:
            order = json.loads(await request.body())
        except ValueError as error:
            raise FaultError("the body is not JSON") from error
        if not isinstance(order, dict):
            raise FaultError("the body must be a JSON object")
        return order
