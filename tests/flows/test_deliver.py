"""Whatever the API answers, and whatever happens on the way: no row is lost, and none is applied twice."""

import threading
import time

import msgspec
import pytest

from connectors.sandbox import bulk
from connectors.sandbox.settings import Org
from connectors.sandbox.wire import decode_batch

pytestmark = pytest.mark.usefixtures("impatient")


def test_every_row_is_accepted_by_a_sound_api(desk):
    desk.source(12)
    run = desk.run()
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert run.points == {"read": 78, "accepted": 78}
    assert desk.agrees(run)


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        # definite: nothing was applied, so the batch goes again
        ("429:1", {"accepted": 12}),
        ("503-auth:1", {"accepted": 12}),
        # applied, and an answer that says so whatever its status
        ("500-applied:1", {"accepted": 12}),
        # nobody can say: five rows of one batch
        ("502:1", {"accepted": 7, "in_doubt": 5}),
        ("504:1", {"accepted": 7, "in_doubt": 5}),
        ("500:1", {"accepted": 7, "in_doubt": 5}),
        ("502-after:1", {"accepted": 7, "in_doubt": 5}),
        ("500-after:1", {"accepted": 7, "in_doubt": 5}),
        ("lost:1", {"accepted": 7, "in_doubt": 5}),
        ("reset-before:1", {"accepted": 7, "in_doubt": 5}),
        ("reset-after:1", {"accepted": 7, "in_doubt": 5}),
        ("html:1", {"accepted": 7, "in_doubt": 5}),
        ("garbage:1", {"accepted": 7, "in_doubt": 5}),
        ("truncated:1", {"accepted": 7, "in_doubt": 5}),
        ("short:1", {"accepted": 7, "in_doubt": 5}),
        ("shuffled:1", {"accepted": 7, "in_doubt": 5}),
        ("empty-error:1", {"accepted": 7, "in_doubt": 5}),
        # the customer is stored, the points are not: half-done is in doubt
    ],
)
def test_an_answers_worth_decides_the_rows_fate(desk_with, fault, fate):
    desk = desk_with(fault)
    desk.source(12)
    run = desk.run()
    assert run.sent == fate
    assert run.exit_code == (5 if "in_doubt" in fate else 0)
    assert desk.agrees(run)


def test_a_row_whose_points_failed_is_in_doubt(desk_with):
    desk = desk_with("points-failed:1")
    desk.source(12)
    run = desk.run()
    assert (run.exit_code, run.sent) == (5, {"accepted": 7, "in_doubt": 5})
    assert [reason["code"] for reason in run.told["reasons"]] == ["19223"]
    assert desk.books.credits()[1016].points == run.points["accepted"] == 63


def test_a_row_in_doubt_is_sent_once_and_never_again(desk_with):
    desk = desk_with("lost:1")
    desk.source(5)
    run = desk.run()
    assert (run.exit_code, run.sent, run.points) == (5, {"in_doubt": 5}, {"read": 15, "in_doubt": 15})
    assert len(desk.books.requests("/v2/bulk")) == 1
    assert desk.books.credits()[1016].points == 15


def test_silence_beyond_the_time_limit_is_doubt(desk_with):
    desk = desk_with("stall:1")
    desk.source(5)
    run = desk.run(limits={"timeout_s": 0.3})
    assert (run.exit_code, run.sent) == (5, {"in_doubt": 5})
    assert desk.agrees(run)


def test_a_throttled_run_waits_and_loses_nothing(desk_with):
    # However slow the machine: one request in each two seconds cannot be the pace of four workers.
    desk = desk_with(requests_per_minute=1, window_s=2.0)
    desk.source(20)
    run = desk.run(limits={"in_flight": 4})
    assert (run.exit_code, run.sent) == (0, {"accepted": 20})
    assert run.told["requests"]["throttled"] > 0
    assert desk.agrees(run)


def test_throttling_without_retry_after_is_waited_out(desk_with):
    desk = desk_with(requests_per_minute=3, window_s=0.5, retry_after=False)
    desk.source(30)
    run = desk.run()
    assert (run.exit_code, run.sent) == (0, {"accepted": 30})
    assert run.told["requests"]["throttled"] > 0
    assert desk.agrees(run)


def test_all_workers_honour_one_retry_after(desk_with):
    desk = desk_with("429=1:1")
    desk.source(60)
    run = desk.run(limits={"in_flight": 4})
    seen = sorted(desk.books.requests("/v2/bulk"))
    refused = next(one for one in seen if one.status == 429)
    after = [one.at_s for one in seen if one.at_s > refused.at_s + refused.took_s + 0.05]
    assert run.sent == {"accepted": 60}
    assert min(after) - refused.at_s >= 1.0


def test_endless_throttling_stops_the_run_resumable(desk_with):
    desk = desk_with("429")
    desk.source(5)
    run = desk.run()
    assert (run.exit_code, run.told["state"], run.sent) == (4, "stopped", {"not_sent": 5})
    assert "lower limits.requests_per_minute" in run.told["stopped_because"]


def test_an_api_that_only_says_later_stops_the_run(desk_with):
    desk = desk_with("503-auth")
    desk.source(12)
    run = desk.run()
    assert (run.exit_code, run.sent) == (4, {"not_sent": 12})
    assert "come back later 3 times" in run.told["stopped_because"]
    assert desk.books.writes() == 0


def test_an_expired_token_is_renewed_once_for_all(desk):
    desk.source(60)
    tokens = []

    def revoke() -> None:
        while len(desk.books.requests("/v2/bulk")) < 3:
            time.sleep(0.002)
        tokens.append(len(desk.books.requests("/token")))
        desk.sandbox.auth.revoke_all()

    revoking = threading.Thread(target=revoke)
    revoking.start()
    run = desk.run(limits={"in_flight": 4, "attempts": 1, "requests_per_minute": 3000})
    revoking.join()
    assert (run.exit_code, run.sent) == (0, {"accepted": 60})
    assert len(desk.books.requests("/token")) == tokens[0] + 1
    assert desk.agrees(run)


def test_credentials_lost_during_the_run_stop_it(desk):
    desk.source(60)

    def lock_out() -> None:
        while len(desk.books.requests("/v2/bulk")) < 3:
            time.sleep(0.002)
        desk.sandbox.auth.token = lambda *_: None  # type: ignore[method-assign]  # no token is given any more
        desk.sandbox.auth.revoke_all()

    locking = threading.Thread(target=lock_out)
    locking.start()
    run = desk.run(limits={"requests_per_minute": 3000})
    locking.join()
    assert (run.exit_code, run.told["state"]) == (4, "stopped")
    assert run.sent["not_sent"] + run.sent["accepted"] == 60
    assert "destination.auth" in run.told["stopped_because"]
    assert desk.agrees(run)


def test_a_batch_too_large_is_halved_until_it_fits(desk_with):
    desk = desk_with(max_batch=2)
    desk.source(12)
    run = desk.run(limits={"rows_per_request": 10})
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert desk.books.requests_by_status("/v2/bulk") == {200: 7, 400: 3}
    assert desk.agrees(run)


def test_a_body_too_large_is_halved_until_it_fits(desk_with):
    desk = desk_with(max_body_bytes=700)
    desk.source(12)
    run = desk.run(limits={"rows_per_request": 12})
    assert (run.exit_code, run.sent) == (0, {"accepted": 12})
    assert 413 in desk.books.requests_by_status("/v2/bulk")
    assert desk.agrees(run)


def test_one_row_that_sinks_its_batch_stands_alone_in_the_end(desk, monkeypatch):
    def without_c6(body: bytes):
        if b'"C-6"' in body:
            raise msgspec.DecodeError
        return decode_batch(body)

    monkeypatch.setattr(bulk, "decode_batch", without_c6)
    desk.source(8)
    run = desk.run(limits={"rows_per_request": 8})
    assert (run.exit_code, run.sent) == (0, {"accepted": 7, "refused": 1})
    assert [row["line"] for row in desk.results(run) if row["fate"] == "refused"] == [7]
    assert desk.agrees(run)


def test_rows_held_by_another_action_go_alone_afterwards(desk):
    desk.source(6)
    desk.sandbox.holds.take([{"externalId:C-2"}, {"externalId:C-5"}])
    releasing = threading.Timer(0.15, lambda: desk.sandbox.holds.release({"externalId:C-2", "externalId:C-5"}))
    releasing.start()
    run = desk.run(limits={"attempts": 50})
    releasing.join()
    assert (run.exit_code, run.sent) == (0, {"accepted": 6})
    assert desk.agrees(run)


def test_rows_held_for_good_are_refused_in_the_end(desk):
    desk.source(6)
    desk.sandbox.holds.take([{"externalId:C-2"}])
    run = desk.run()
    assert (run.exit_code, run.sent) == (0, {"accepted": 5, "refused": 1})
    assert [reason["code"] for reason in run.told["reasons"]] == ["521"]
    assert desk.agrees(run)


def test_an_unknown_path_stops_before_anything_is_applied(desk):
    desk.source(5)
    run = desk.run(destination={"path": "/v2/blk"})
    assert (run.exit_code, run.sent) == (2, {"not_sent": 5})
    assert "destination.path" in run.told["stopped_because"]


def test_missing_rights_stop_before_anything_is_applied(desk_with):
    desk = desk_with(org=Org(read_only=frozenset({"demo"})))
    desk.source(5)
    run = desk.run()
    assert (run.exit_code, run.sent) == (2, {"not_sent": 5})


def test_points_never_share_a_request_with_rows_without(desk):
    desk.source(6)
    desk.write(
        "customers.csv",
        "member_no,phone,first_name,points\n"
        "C-1,9845000001,A,5\nC-2,9845000002,B,\nC-3,9845000003,C,7\nC-4,9845000004,D,0\n",
    )
    run = desk.run()
    assert run.sent == {"accepted": 4}
    assert [row["batch"] for row in desk.results(run)] in ([1, 2, 1, 2], [2, 1, 2, 1])
