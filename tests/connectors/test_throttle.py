"""The allowance holds in every window, is used, and is shared fairly; minutes pass on a virtual clock."""

import asyncio
import random
from collections import Counter

import pytest

from connectors.throttle import Pacer
from tests.virtual_time import in_virtual_time


def new_pacer(requests_per_minute):
    loop = asyncio.get_running_loop()
    return Pacer(requests_per_minute, clock=loop.time, sleep=asyncio.sleep)


async def departures(requests_per_minute, minutes, workers=4, seed=1):
    """When requests leave and arrive: 5-40 ms on the way, and 1 % are held up 0.6 s before they leave."""
    loop, chance = asyncio.get_running_loop(), random.Random(seed)
    pacer, left, arrived, start = new_pacer(requests_per_minute), [], [], loop.time()

    async def worker():
        while loop.time() < start + 60 * minutes:
            turn = await pacer.turn()
            if chance.random() < 0.01:
                await asyncio.sleep(0.6)
                turn.left()
            left.append(loop.time() - start)
            arrived.append(loop.time() - start + chance.uniform(0.005, 0.040))
            await asyncio.sleep(chance.uniform(0.010, 0.080) + (0.6 if chance.random() < 0.01 else 0.0))

    await asyncio.gather(*(worker() for _ in range(workers)))
    return left, sorted(arrived)


def most_in_a_fixed_minute(arrived, phases=20):
    starts = [phase * 60 / phases for phase in range(phases)]
    return max(max(Counter((at - start) // 60 for at in arrived).values()) for start in starts)


def most_in_60_s(arrived, window_s=60.0):
    first, most = 0, 0
    for last, at in enumerate(arrived):
        while at - arrived[first] >= window_s:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("requests_per_minute", [10, 90, 100, 600, 1000])
def test_allowance_is_used_and_never_passed(requests_per_minute, seed):
    left, arrived = in_virtual_time(departures(requests_per_minute, minutes=5, seed=seed))
    used = sum(at < 300 for at in left) / (5 * requests_per_minute)
    assert most_in_a_fixed_minute(arrived) <= requests_per_minute
    assert most_in_60_s(arrived) <= requests_per_minute
    assert used >= 0.99


@pytest.mark.parametrize(("requests_per_minute", "in_one_second"), [(10, 1), (100, 3), (1000, 34)])
def test_requests_are_spread_without_a_burst(requests_per_minute, in_one_second):
    left, _ = in_virtual_time(departures(requests_per_minute, minutes=2))
    assert most_in_60_s(sorted(left), window_s=0.99) <= in_one_second


def test_time_lost_to_a_stall_is_made_good_at_twice_the_rate_only():
    async def story():
        loop, pacer = asyncio.get_running_loop(), new_pacer(60)
        await pacer.turn()
        await asyncio.sleep(30)  # nobody asks for half a minute; five seconds of it are made good
        start, left = loop.time(), []
        for _ in range(14):
            await pacer.turn()
            left.append(round(loop.time() - start, 1))
        return left

    assert in_virtual_time(story()) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0]


def test_pause_stops_every_worker_and_the_longest_wins():
    async def story():
        loop, pacer = asyncio.get_running_loop(), new_pacer(600)
        start, left = loop.time(), []

        async def worker():
            for _ in range(2):
                await pacer.turn()
                left.append(round(loop.time() - start, 2))

        workers = asyncio.gather(*(worker() for _ in range(3)))
        await asyncio.sleep(0.15)
        pacer.pause(7.0)
        pacer.pause(2.0)
        await workers
        return left

    # Ten a second before; after a refusal eight.
    assert in_virtual_time(story()) == [0.0, 0.1, 7.15, 7.28, 7.4, 7.53]


def test_turns_are_granted_in_the_order_asked():
    async def story():
        pacer, order = new_pacer(600), []

        async def worker(name):
            await pacer.turn()
            order.append(name)

        await asyncio.gather(*(worker(name) for name in "abcdefgh"))
        return "".join(order)

    assert in_virtual_time(story()) == "abcdefgh"


@pytest.mark.parametrize("cancelled", [1, 2, 3])  # 1: asleep until its turn; 2, 3: in the queue
def test_a_cancelled_waiter_costs_no_turn(cancelled):
    async def story():
        loop, pacer, left = asyncio.get_running_loop(), new_pacer(60), []
        start = loop.time()

        async def worker(name):
            await pacer.turn()
            left.append((name, round(loop.time() - start)))

        workers = [asyncio.create_task(worker(name)) for name in range(5)]
        await asyncio.sleep(0.5)
        workers[cancelled].cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return left

    kept = [name for name in range(5) if name != cancelled]
    assert in_virtual_time(story()) == list(zip(kept, range(4), strict=True))


def test_what_an_earlier_process_sent_still_counts():
    async def story():
        loop, pacer = asyncio.get_running_loop(), new_pacer(3)
        start = loop.time()
        pacer.prime([50.0, 40.0, 1.0])
        left = []
        for _ in range(3):
            await pacer.turn()
            left.append(round(loop.time() - start))
        return left

    assert in_virtual_time(story()) == [19, 39, 59]


def test_a_request_counts_from_when_it_left():
    async def story():
        loop, pacer = asyncio.get_running_loop(), new_pacer(2)
        start = loop.time()
        turn = await pacer.turn()
        await pacer.turn()  # at 30
        await asyncio.sleep(10)
        turn.left()  # only now, at 40
        await pacer.turn()
        return round(loop.time() - start)

    assert in_virtual_time(story()) == 90  # 60 if the first still counted from 0


async def told_to_wait(pacer, times, retry_after_s=1.0):
    """So many 429s one after the other."""
    for _ in range(times):
        await pacer.turn()
        pacer.pause(retry_after_s)
        pacer.pause(retry_after_s)  # of a request that was under way too


def test_each_429_lowers_the_pace_once():
    async def story():
        pacer = new_pacer(100)
        await told_to_wait(pacer, 3)
        return pacer.requests_per_minute

    assert in_virtual_time(story()) == 51  # 100, 80, 64, 51


def test_the_pace_never_comes_to_a_stop():
    async def story():
        pacer = new_pacer(2)
        await told_to_wait(pacer, 20)
        return pacer.requests_per_minute

    assert in_virtual_time(story()) == 1


def test_the_pace_recovers_while_nothing_is_refused():
    async def story():
        loop, pacer, rates = asyncio.get_running_loop(), new_pacer(100), []
        pacer.start_at(80)
        start = loop.time()
        while loop.time() - start < 600:
            await pacer.turn()
            rates.append(pacer.requests_per_minute)
        return rates

    rates = in_virtual_time(story())
    assert (rates[0], rates[-1]) == (80, 100)
    assert rates == sorted(rates)


@pytest.mark.parametrize("server_limit", [7, 50, 85])
def test_a_limit_below_the_jobs_is_found_and_used(server_limit):
    """A server that counts a sliding minute; an hour against it."""

    async def story():
        loop, pacer, admitted, refused = asyncio.get_running_loop(), new_pacer(90), [], 0
        start = loop.time()
        while loop.time() - start < 3600:
            await pacer.turn()
            now = loop.time()
            if sum(now - at < 60 for at in admitted[-server_limit:]) >= server_limit:
                refused += 1
                pacer.pause(2.0)
            else:
                admitted.append(now)
        return len(admitted), refused

    admitted, refused = in_virtual_time(story())
    assert admitted >= 0.8 * 60 * server_limit
    assert refused <= 0.05 * admitted + 10
