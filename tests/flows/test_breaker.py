"""A host in trouble is left in peace, probed, and gone on with when it is well; minutes pass on a virtual clock."""

import asyncio

import pytest

from flows.breaker import PROBE_WAITS_S, Breaker, in_trouble
from schemas.batches import Answer, NeverSent, NoAnswer
from schemas.errors import Stopped, Unreachable
from schemas.outcomes import BatchReply, Verdict
from tests.virtual_time import in_virtual_time

FINE = Answer(200, b"[]"), BatchReply(Verdict.ANSWERED)
LOST = NoAnswer("connection reset"), BatchReply(Verdict.IN_DOUBT)
GATEWAY = Answer(502, b"<html>"), BatchReply(Verdict.IN_DOUBT)
UNSENT = NeverSent("connection refused"), BatchReply(Verdict.LATER)


class Host:
    """Answers probes as it is told to, one after the other; the last word stands."""

    def __init__(self, *well: bool) -> None:
        self.well, self.probes = list(well), 0

    async def probe(self) -> bool:
        self.probes += 1
        return self.well.pop(0) if len(self.well) > 1 else self.well[0]


def breaker_of(host: Host, goes_on: bool = True) -> Breaker:
    async def pause(seconds):
        await asyncio.sleep(seconds)
        return goes_on

    return Breaker("eu.example", host.probe, pause)


async def passed(breaker: Breaker, *seen) -> None:
    for sending, reply in seen:
        async with breaker.passage():
            breaker.seen(sending, reply)


@pytest.mark.parametrize(
    ("sending", "verdict", "trouble"),
    [
        (Answer(200, b""), Verdict.IN_DOUBT, False),  # it answers, if strangely
        (Answer(400, b""), Verdict.REFUSED, False),
        (Answer(429, b""), Verdict.THROTTLED, False),
        (Answer(500, b""), Verdict.ANSWERED, False),  # rows with their own errors
        (Answer(500, b""), Verdict.IN_DOUBT, True),
        (Answer(503, b""), Verdict.LATER, True),
        (NoAnswer(""), Verdict.IN_DOUBT, True),
        (NeverSent(""), Verdict.LATER, True),
    ],
)
def test_trouble_is_the_hosts_and_not_the_batchs(sending, verdict, trouble):
    assert in_trouble(sending, BatchReply(verdict)) is trouble


@pytest.mark.parametrize("trouble", [LOST, GATEWAY, UNSENT])
def test_trouble_in_a_row_opens_it(trouble):
    async def story():
        breaker = breaker_of(Host(True))
        await passed(breaker, *[trouble] * 4)
        before = breaker.is_open
        await passed(breaker, trouble)
        return before, breaker.is_open

    assert in_virtual_time(story()) == (False, True)


def test_a_rising_share_of_trouble_opens_it():
    async def story():
        breaker = breaker_of(Host(True))
        await passed(breaker, *[FINE] * 40, *[LOST, FINE] * 9)
        before = breaker.is_open
        await passed(breaker, LOST)
        return before, breaker.is_open

    assert in_virtual_time(story()) == (False, True)


def test_a_host_that_recovers_is_gone_on_with():
    async def story():
        loop, host = asyncio.get_running_loop(), Host(False, False, True)
        breaker, start = breaker_of(host), loop.time()
        await passed(breaker, *[LOST] * 5, FINE, FINE)
        return host.probes, loop.time() - start, breaker.is_open

    assert in_virtual_time(story()) == (3, sum(PROBE_WAITS_S[:3]), False)


def test_after_a_probe_one_goes_first_and_alone():
    async def story():
        breaker, under_way, most = breaker_of(Host(True)), 0, 0

        async def one():
            nonlocal under_way, most
            async with breaker.passage():
                under_way += 1
                most = max(most, under_way)
                await asyncio.sleep(1)
                under_way -= 1
                breaker.seen(*FINE)

        await passed(breaker, *[LOST] * 5)
        first = asyncio.create_task(one())
        others = [asyncio.create_task(one()) for _ in range(5)]
        await first
        alone = most
        await asyncio.gather(*others)
        return alone

    assert in_virtual_time(story()) == 1


@pytest.mark.parametrize(("trouble", "kind"), [(LOST, Stopped), (UNSENT, Unreachable)])
def test_a_dead_host_ends_the_run_after_minutes(trouble, kind):
    async def story():
        host = Host(False)
        breaker = breaker_of(host)
        await passed(breaker, *[trouble] * 5)
        with pytest.raises(kind, match=r"eu\.example did not answer for 299 s; .* bulkload resume"):
            await passed(breaker, FINE)
        return host.probes

    assert in_virtual_time(story()) == len(PROBE_WAITS_S)


def test_a_host_that_only_answers_probes_costs_few_batches():
    async def story():
        breaker, sent = breaker_of(Host(True)), 0
        with pytest.raises(Stopped, match="failed every one of the last 8 requests"):
            while sent < 100:
                await passed(breaker, LOST)
                sent += 1
        return sent

    assert in_virtual_time(story()) == 8


def test_a_stopped_run_does_not_go_on_probing():
    async def story():
        host = Host(False)
        breaker = breaker_of(host, goes_on=False)
        await passed(breaker, *[LOST] * 5)
        async with breaker.passage():
            return host.probes

    assert in_virtual_time(story()) == 0
