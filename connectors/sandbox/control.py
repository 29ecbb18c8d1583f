"""The sandbox's own endpoints, for another process: books, customers to start with, faults. No key is asked for."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.breakage import encode
from connectors.sandbox.faults import FaultError
from connectors.sandbox.records import whole
from connectors.sandbox.state import Sandbox

decode_identities = msgspec.json.Decoder(list[str | dict[str, str]]).decode
decode_faults = msgspec.json.Decoder(list[str]).decode


def control_routes(sandbox: Sandbox) -> list[Route]:
    """GET /sandbox/books, POST /sandbox/customers, PUT /sandbox/faults."""

    async def books(request: Request) -> Response:
        """Everything applied so far; `?identifierName=&identifierValue=` tells one customer instead."""
        query = request.query_params
        name, value = query.get("identifierName"), query.get("identifierValue", "")
        if name is None:
            return _json(sandbox.books.as_json(times="times" in query))
        record = sandbox.books.customer(name, value)
        told = {
            "customer": None if record is None else whole(record),
            "writes": sandbox.books.writes_of(name, value),
            "credits": [{"program_id": p, "points": n} for p, n in sandbox.books.points_of(name, value)],
        }
        return _json(told, 404 if record is None else 200)

    async def customers(request: Request) -> Response:
        """Preload: a JSON array of external ids or of {type: value}."""
        try:
            identities = decode_identities(await request.body())
        except msgspec.MsgspecError as error:
            return _json({"error": f"an array of external ids or of {{type: value}} is wanted: {error}"}, 400)
        query = request.query_params
        added = sandbox.preload(identities, query.get("source", "INSTORE"), query.get("accountId", ""))
        return _json({"added": added, "customers": sandbox.books.customers()})

    async def faults(request: Request) -> Response:
        """Replace all faults by those of a JSON array of texts."""
        try:
            sandbox.set_faults(decode_faults(await request.body()))
        except (msgspec.MsgspecError, FaultError) as error:
            return _json({"error": str(error)}, 400)
        return Response(status_code=204)

    return [
        Route("/sandbox/books", books, methods=["GET"]),
        Route("/sandbox/customers", customers, methods=["POST"]),
        Route("/sandbox/faults", faults, methods=["PUT"]),
    ]


def _json(value: object, status: int = 200) -> Response:
    return Response(encode(value), status, media_type="application/json")
