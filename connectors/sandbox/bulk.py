"""The bulk writes E1, E2 and E3: body in, elements applied in order, reply out (contract §1, §3, §4)."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request

from connectors.sandbox.apply import Applier
from connectors.sandbox.breakage import Answer, failure
from connectors.sandbox.codes import note
from connectors.sandbox.faults import Fault
from connectors.sandbox.identity import Operation, Policy
from connectors.sandbox.records import IST
from connectors.sandbox.replies import body, shape
from connectors.sandbox.state import Sandbox
from connectors.sandbox.store import Unit
from connectors.sandbox.validation import Checked
from connectors.sandbox.wire import decode_batch

POLL_S = 0.05


async def write(sandbox: Sandbox, request: Request, operation: Operation, met: Mapping[str, Fault]) -> Answer:
    """Apply one batch.

    400 with the body {} for what is no array of customers, 413 past the byte limit, 1060 past the batch limit.
    While it waits (latency, `slow`) its customers are held, and others that want one of them get 521.
    """
    raw = await request.body()
    if len(raw) > sandbox.settings.max_body_bytes:
        return Answer(413, {})
    try:
        elements = decode_batch(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Answer(400, {})
    if not elements:
        return Answer(400, {})
    if len(elements) > sandbox.settings.max_batch:
        return failure(sandbox.settings.batch_limit_status, 1060)
    query = request.query_params
    source, account = query.get("source", ""), query.get("accountId", "")
    batch = [sandbox.validator.element(element, source, account) for element in elements]
    _check_attribution(sandbox, request.headers, batch)
    skip_change = query.get("skipChangeIdentifier", "true").lower() != "false"
    policy = Policy.of(operation, sandbox.settings, skip_change=skip_change)
    delay_s = sandbox.settings.latency_s + (met["slow"].seconds if "slow" in met else 0.0)
    taken = _hold(sandbox, batch) if delay_s or sandbox.holds else set()
    try:
        await _pause(sandbox, delay_s)
        return _apply(sandbox, batch, policy, request.state.request_id, points_fail="points-failed" in met)
    finally:
        sandbox.holds.release(taken)


def _check_attribution(sandbox: Sandbox, headers: Mapping[str, str], batch: list[Checked]) -> None:
    """An unknown till in the attribution headers refuses every element (contract §2, code 1004)."""
    code = headers.get("x-cap-api-attribution-entity-code")
    kind = headers.get("x-cap-api-attribution-entity-type", "TILL")
    if code is not None and kind == "TILL" and code not in sandbox.settings.org.tills:
        for checked in batch:
            checked.notes.error(1004, code)


def _hold(sandbox: Sandbox, batch: list[Checked]) -> set[str]:
    """Hold the batch's customers, by identifier and by id; those already held get 521."""
    keys = [checked.all_keys for checked in batch]
    owner = sandbox.store.owners(key for own in keys for key in own)
    groups = [{*own, *(f"id:{owner[key]}" for key in own if key in owner)} for own in keys]
    free, taken = sandbox.holds.take(groups)
    for checked, is_free in zip(batch, free, strict=True):
        if not is_free:
            checked.errors.append(note(521))
    return taken


async def _pause(sandbox: Sandbox, seconds: float) -> None:
    """Wait, but not past the server's stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not sandbox.stopping():
        await asyncio.sleep(min(left, POLL_S))


def _apply(sandbox: Sandbox, batch: list[Checked], policy: Policy, request_id: str, *, points_fail: bool) -> Answer:
    now = datetime.now(IST)
    with sandbox.store.lock:
        unit = Unit(sandbox.store, request_id, now.timestamp())
        unit.load(key for checked in batch for key in checked.all_keys)
        stamp = now.isoformat(timespec="seconds")
        applier = Applier(sandbox.settings, unit, policy, stamp, points_fail=points_fail)
        elements: list[dict[str, Any]] = []
        failures = children_failed = 0
        for checked in batch:
            outcome = applier.element(checked)
            failures += outcome.failed
            children_failed += any(child.failed for child in outcome.children)
            elements.append(shape(outcome, policy.operation))
        unit.flush()
    status = _status(sandbox, failures, children_failed, len(batch))
    return Answer(status, body(elements, failures, policy.operation))


def _status(sandbox: Sandbox, failures: int, children_failed: int, total: int) -> int:
    if failures == total:
        return sandbox.settings.all_failed_status
    return sandbox.settings.partial_failure_status if failures or children_failed else 200
