"""What a person is told of rows in doubt after a real run: what to ask, what to do, and nothing of a customer."""

from datetime import datetime

import pytest

PLANTED = ["QXZV-KEY-471", "98450710", "Qxzvname"]
CUSTOMERS = "member_no,phone,first_name,points\n" + "".join(
    f"QXZV-KEY-471{n},984507107{n},Qxzvname,{n + 1}\n" for n in range(7)
)


@pytest.fixture
def run_with(desk_with):
    """A run of seven planted customers, five of them in the first request, and both forms of its report."""

    def run(*faults: str, timeout_s: float = 10):
        desk = desk_with(*faults)
        desk.write("customers.csv", CUSTOMERS)
        desk.sandbox.preload(f"QXZV-KEY-471{n}" for n in range(7))
        outcome = desk.run(limits={"in_flight": 1, "timeout_s": timeout_s})
        folder = desk.of(outcome)
        return desk, outcome, [(folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")]

    return run


@pytest.mark.parametrize(
    ("fault", "has_id", "why"),
    [
        ("lost:1", False, "The request left, and no whole answer came back: connection closed before an answer."),
        ("502:1", True, "The API answered HTTP 502 and did not say why."),
        ("html:1", True, "The answer was a page of HTML, as gateways write it, and not the API's."),
    ],
)
def test_a_doubt_is_told_with_all_that_support_needs(run_with, fault, has_id, why):
    desk, run, forms = run_with(fault)
    seen = desk.books.requests("/v2/bulk")[0]
    asked_id = f"request id {seen.request_id}" if has_id else "no request id was received"
    assert (run.exit_code, run.sent, run.points["in_doubt"]) == (5, {"accepted": 2, "in_doubt": 5}, 15)
    for form in forms:
        assert "Were these requests applied, and were points credited?" in form
        assert "In doubt: 5 customers in 1 request, with 15 points" in form
        assert f"UTC, 5 customers, {asked_id}" in form
        assert form.count("QX••••1") == 5 + 3  # and the reason's examples
        assert f"bulkload settle {run.told['run']} --as not-sent" in form
    assert why in forms[1]
    assert [doubt["request_id"] for doubt in run.told["doubts"]] == [seen.request_id if has_id else ""] * 5
    assert [(doubt["line"], doubt["points"]) for doubt in run.told["doubts"]] == [(n + 2, n + 1) for n in range(5)]


def test_a_doubt_says_when_its_request_left(run_with):
    desk, run, forms = run_with("stall:1", timeout_s=1)
    came_in_s = desk.books.requests("/v2/bulk")[0].at_s
    (sent_at,) = {doubt["sent_at"] for doubt in run.told["doubts"]}
    assert sent_at.endswith("+05:30")
    # Not when it was given up, a second later.
    assert datetime.fromisoformat(run.told["started"]) <= datetime.fromisoformat(sent_at)
    assert datetime.fromisoformat(sent_at).timestamp() <= came_in_s
    assert all(sent_at.replace("T", " ") in form for form in forms)


@pytest.mark.parametrize("fault", ["lost:1", "502:1"])
def test_nothing_of_a_customer_is_told_with_a_doubt(run_with, fault):
    _, run, forms = run_with(fault)
    assert [value for value in PLANTED for told in (*forms, run.stdout, run.stderr) if value in told] == []


def test_a_doubt_of_an_earlier_run_is_not_asked_about_again(run_with):
    desk, _, _ = run_with("lost:1")
    changed = desk.run(limits={"in_flight": 1}, map={"lastName": "first_name"})
    told = (desk.of(changed) / "report.md").read_text(encoding="utf-8")
    assert (changed.exit_code, changed.sent["in_doubt"]) == (5, 5)
    assert "5 rows were sent by an earlier run" in told
    assert "Were these requests applied" not in told
    assert [doubt["batch"] for doubt in changed.told["doubts"]] == [None] * 5


def test_a_run_without_doubts_says_that_nothing_is_to_be_done(run_with):
    _, run, forms = run_with()
    assert (run.exit_code, "doubts" in run.told) == (0, False)
    for form in forms:
        assert "Nothing. Every row that was sent has an answer, and none was refused." in form
        assert "support" not in form
