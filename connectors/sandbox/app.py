"""The HTTP face: routes, the gate that every request passes, the request id on every reply (contract §1, §2, §4.2)."""

import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.sandbox import lookups, metadata
from connectors.sandbox.books import RequestSeen
from connectors.sandbox.breakage import Answer, broken, failure, refused
from connectors.sandbox.bulk import write
from connectors.sandbox.codes import MESSAGES
from connectors.sandbox.control import control_routes
from connectors.sandbox.faults import Fault, FaultError
from connectors.sandbox.identity import Operation
from connectors.sandbox.state import Sandbox
from connectors.sandbox.transport import Silence

Met = Mapping[str, Fault]
Handler = Callable[[Sandbox, Request, Met], Awaitable[Answer]]
LOOKUP_HEADERS = ("x-cap-api-attribution-lookup-type", "x-cap-api-attribution-lookup")


def build_app(sandbox: Sandbox) -> ASGIApp:
    """The whole API over one sandbox."""
    routes = [*_write_routes(sandbox), *_read_routes(sandbox), *control_routes(sandbox)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse_route})
    return RequestLog(app, sandbox)


def _write_routes(sandbox: Sandbox) -> list[Route]:
    def route(path: str, by_method: Mapping[str, Operation]) -> Route:
        async def handle(box: Sandbox, request: Request, met: Met) -> Answer:
            return await write(box, request, by_method[request.method], met)

        return Route(path, _gated(sandbox, "writes", handle), methods=list(by_method))

    both = {"PUT": Operation.UPDATE, "POST": Operation.REGISTER}
    return [
        route("/v2/bulk", both),
        route("/v2/customers/bulk", both),
        route("/v2/integrations/customer/upsert/bulk", {"POST": Operation.UPSERT}),
        Route("/v3/oauth/token/generate", _gated(sandbox, "token", _token), methods=["POST"]),
    ]


def _read_routes(sandbox: Sandbox) -> list[Route]:
    def route(path: str, answer: Callable[[Sandbox, Request], Answer]) -> Route:
        async def handle(box: Sandbox, request: Request, _: Met) -> Answer:
            return answer(box, request)

        return Route(path, _gated(sandbox, "reads", handle), methods=["GET"])

    return [
        route("/v2/customers/lookup", lookups.lookup),
        route("/v2/customers/lookup/customerDetails", lookups.details),
        route("/v2/customers/lookup/loyaltyDetails", lookups.loyalty_details),
        route("/v2/customers/{id:int}", lookups.details),
        route("/v2/customers/{id:int}/loyaltyDetails", lookups.loyalty_details),
        route("/v2/pointsLedger/getCustomerLedgerInfo", lookups.ledger),
        route("/v2/organization/programs", metadata.programmes),
        route("/v2/organization/customFields", metadata.custom_fields),
        route("/v2/organization/till", metadata.till),
        route("/v2/extendedFields", metadata.extended_fields),
        route("/v2/meta/sources", metadata.sources),
    ]


def _gated(sandbox: Sandbox, scope: str, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Faults that come first, then who and how often, then the endpoint, then faults that come last."""

    async def endpoint(request: Request) -> Response:
        try:
            met = sandbox.faults.pick(scope, request.headers.get("x-sandbox-fault"))
        except FaultError as error:
            return Response(str(error), 400)
        try:
            await request.body()  # all of it: a client that is still sending sees a reset as a failed send
        except ClientDisconnect:
            return Silence(sandbox.connections.close)
        if silent := _silence(sandbox, met, reset="reset-before", stall="stall-before"):
            return silent
        answer = refused(met) or _refusal(sandbox, request, scope)
        if answer is None:
            answer = broken(await handle(sandbox, request, met), met)
            if silent := _silence(sandbox, met, reset="reset-after", stall="stall"):
                return silent
            if "lost" in met:
                return Silence(sandbox.connections.close)
        return Response(answer.body(), answer.status, answer.headers, answer.content_type)

    return endpoint


def _silence(sandbox: Sandbox, met: Met, *, reset: str, stall: str) -> Silence | None:
    if reset in met:
        return Silence(sandbox.connections.reset)
    return Silence(sandbox.connections.close, stalls_until=sandbox.stopping) if stall in met else None


def _refusal(sandbox: Sandbox, request: Request, scope: str) -> Answer | None:
    """401, 403, 429, 415 and 1061, in this order; none of them applies anything."""
    headers = request.headers
    if scope != "token":
        client = sandbox.client(headers)
        if client is None:
            return failure(401)
        if scope == "writes" and client in sandbox.settings.org.read_only:
            return Answer(403, {"errors": [{"status": False, "code": 403, "message": "Access denied"}]})
        wait_s = sandbox.rate_limit.wait_s(f"{client} {scope}")
        if wait_s is not None:
            retry = {"Retry-After": str(max(1, math.ceil(wait_s)))} if sandbox.settings.retry_after else {}
            return Answer(429, failure(429).payload, retry)
    if request.method != "GET" and not headers.get("content-type", "").startswith("application/json"):
        return failure(415)
    if len([name for name in LOOKUP_HEADERS if name in headers]) == 1:
        return failure(400, 1061)
    return None


async def _token(sandbox: Sandbox, request: Request, met: Met) -> Answer:
    ttl_s = met["expiry"].seconds if "expiry" in met else sandbox.token_ttl_s()
    try:
        asked = json.loads(await request.body())
        token = sandbox.auth.token(str(asked["key"]), str(asked["secret"]), ttl_s)
    except (ValueError, KeyError, TypeError):
        return Answer(400, {})
    if token is None:
        error = {"status": False, "code": 401, "message": "Failed to generate OAuth token"}
        return Answer(401, {"data": None, "errors": [error]})
    return Answer(200, {"data": {"accessToken": token, "ttlSeconds": math.ceil(ttl_s)}, "errors": None})


async def _refuse_route(_: Request, error: Exception) -> Response:
    """404 and 405 as JSON, like everything else."""
    assert isinstance(error, HTTPException)
    known = error.status_code in MESSAGES
    answer = failure(error.status_code) if known else Answer(error.status_code, {})
    return Response(answer.body(), answer.status, error.headers, answer.content_type)


class RequestLog:
    """Gives every request an id, tells it in the reply, and enters the request into the books."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self.app = app
        self.sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            return
        request_id = self.sandbox.new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        at_s, status, body_bytes, entered = time.time(), 0, 0, False

        def enter() -> None:
            """Once, and before the client has the whole answer: whoever has it finds it in the books."""
            nonlocal entered
            if not entered and not scope["path"].startswith("/sandbox/"):
                took_s = time.time() - at_s
                seen = RequestSeen(at_s, took_s, scope["method"], scope["path"], status, request_id, body_bytes)
                self.sandbox.requests.append(seen)
            entered = True

        async def counted() -> Message:
            nonlocal body_bytes
            message = await receive()
            body_bytes += len(message.get("body", b""))
            return message

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-CAP-REQUEST-ID"] = request_id
            elif not message.get("more_body"):
                enter()
            await send(message)

        try:
            await self.app(scope, counted, told)
        finally:
            enter()
