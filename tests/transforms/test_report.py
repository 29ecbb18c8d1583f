"""What a report says in words, in a terminal, in Markdown and in HTML."""

import re
from datetime import UTC, datetime
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.clusters import Cluster, Clusters, Member, Shared
from schemas.outcomes import Fate
from schemas.runs import (
    Change,
    Doubtful,
    DoubtfulRequest,
    Example,
    Origin,
    Reason,
    Requests,
    RunReport,
    Tick,
    Totals,
)
from transforms.report import html, markdown, summary
from transforms.report_charts import duration, fate_bar, merge_ticks, share, size, timeline
from transforms.report_words import change_sentence, steps, verdict

SOME = Requests(sent=12, answered=12)
HOSTILE = "<script>alert(1)</script> | `x` *b* [l](http://x) \"q\" 'q'"


def report(rows=None, points=None, **different):
    rows, points = rows or {}, points or {}
    totals = Totals(sum(rows.values()), rows, {name: sum(of.values()) for name, of in points.items()}, points)
    usual = {
        "run": "20260301-003000-nightly",
        "job": "nightly",
        "mode": "sync",
        "state": "done",
        "exit_code": 0,
        "started": "2026-03-01T00:30:00+05:30",
        "finished": "2026-03-01T00:41:12+05:30",
        "destination": "eu.api.capillarytech.com",
        "operation": "update",
        "totals": totals,
        "requests": SOME,
        "requests_per_minute": 90,
        "seconds": {"prepare": 1.9, "deliver": 9.4},
        "reasons": (),
        "changes": (),
        "origins": (),
        "ticks": (),
        "files": {"report": "report.html", "rejected": "rejected.csv"},
    }
    return RunReport(**(usual | different))


def reason(fate, code, rows=1, text="because"):
    return Reason(fate, code, rows, text, text, (Example("a.csv", 7, "C-1••••7"),))


def in_doubt(rows=2, sent_here=None, **different):
    """A run with rows in doubt that one request carried; those not `sent_here` an earlier run sent."""
    here = rows if sent_here is None else sent_here
    sent_at_utc = datetime(2026, 2, 28, 19, 4, 12, 345_000, UTC)
    doubts = [
        Doubtful("a.csv", 7, "C-1••••7", "2026-03-01T00:34:12+05:30", 4, "req-8f14", ("html",), 250)
        if place < here
        else Doubtful("a.csv", 9, "C-9••••9", "", None, "", ("in_doubt.earlier_run",), 250)
        for place in range(rows)
    ]
    usual = {
        "exit_code": 5,
        "reasons": (
            Reason(Fate.IN_DOUBT, "html", here, "A page of HTML came.", "Ask."),
            Reason(Fate.IN_DOUBT, "in_doubt.earlier_run", rows - here, "An earlier run sent it.", "Ask."),
        ),
        "doubts": tuple(doubts[:20]),
        "doubtful_requests": (DoubtfulRequest(4, sent_at_utc, "req-8f14", here, 250 * here),) if here else (),
    }
    fates = {Fate.IN_DOUBT: rows, Fate.ACCEPTED: 8}
    return report(fates, {"1016": {Fate.IN_DOUBT: 250 * rows, Fate.ACCEPTED: 1}}, **(usual | different))


def words_of(told):
    """Its visible text, without markup."""
    body = re.sub(r"<style>.*?</style>|<(svg|head).*?</\1>", "", told, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (report({Fate.ACCEPTED: 1000}), "1,000 of 1,000 rows are loaded. Nothing needs a person."),
        (report({Fate.ACCEPTED: 1}), "1 of 1 row is loaded. Nothing needs a person."),
        (report(), "The source held no rows, so there was nothing to load. Nothing needs a person."),
        (
            report({Fate.INVALID: 61, Fate.ACCEPTED: 1900, Fate.ACCEPTED_WITH_LOSS: 12, Fate.IN_DOUBT: 4}),
            "1,912 of 1,977 rows are loaded (12 with a part dropped). "
            "61 rows were left out because something in them is wrong, 4 need a person.",
        ),
        (
            report({Fate.FILTERED: 5, Fate.DUPLICATE: 4, Fate.INVALID: 1, Fate.UNCHANGED: 500, Fate.ACCEPTED: 490}),
            "490 of 1,000 rows are loaded, 500 are unchanged and 9 are set aside as the job asks. "
            "1 row was left out because something in it is wrong, nothing else needs a person.",
        ),
        (
            report({Fate.ACCEPTED: 412, Fate.NOT_SENT: 1588}, state="stopped", exit_code=4),
            "The run stopped before its end: 412 of 2,000 rows are loaded and 1,588 are still to be sent. "
            "The stop needs a person.",
        ),
        (
            report({Fate.INVALID: 90, Fate.NOT_SENT: 10}, state="failed", exit_code=3, requests=Requests()),
            "The run failed before anything was sent. "
            "90 rows were left out because something in them is wrong, and the failure needs a person.",
        ),
        (
            report({Fate.INVALID: 90, Fate.NOT_SENT: 10}, state="stopped", exit_code=3, requests=Requests()),
            "A guard stopped the run before anything was sent. "
            "90 rows were left out because something in them is wrong, and the stop needs a person.",
        ),
        (
            report({Fate.REFUSED: 30, Fate.ACCEPTED: 70, Fate.NOT_SENT: 900}, state="stopped", exit_code=3),
            "A guard stopped the run before its end: 70 of 1,000 rows are loaded and 900 are still to be sent. "
            "30 rows need a person.",
        ),
        (in_doubt(2), "8 of 10 rows are loaded. 2 rows need a person."),
        (
            in_doubt(2, state="stopped", exit_code=4),
            "The run stopped before its end: 8 of 10 rows are loaded. 2 rows need a person.",
        ),
        (report({Fate.REFUSED: 1}), "None of 1 row is loaded. 1 row needs a person."),
        (
            report({Fate.UNCHANGED: 990, Fate.FILTERED: 10}),
            "None of 1,000 rows had to be loaded, 990 are unchanged and 10 are set aside as the job asks. "
            "Nothing needs a person.",
        ),
    ],
)
def test_a_verdict_is_two_plain_sentences(told, words):
    assert verdict(told) == words


def test_what_is_riskiest_comes_first():
    rows = {Fate.INVALID: 1, Fate.ACCEPTED_WITH_LOSS: 1, Fate.REFUSED: 3, Fate.IN_DOUBT: 4, Fate.NOT_SENT: 5}
    told = steps(report(rows, state="stopped", exit_code=4, stopped_because="The window closed."))
    assert [(step.title, step.command.split(" 2026")[0], step.urgent) for step in told] == [
        ("4 rows in doubt", "bulkload runs", True),
        ("3 rows refused by the API", "bulkload retry", True),
        ("5 rows not sent", "bulkload resume", True),
        ("1 row left out before sending", "bulkload retry", False),
        ("1 row accepted with a loss", "", False),
    ]


def test_rows_in_doubt_have_a_command_for_each_answer():
    (step,) = steps(in_doubt(2))
    assert step.do == "Look them up at the API, or send the text below to Capillary's support and record what they say."
    assert [command for _, command in step.answers] == [
        "bulkload settle 20260301-003000-nightly --as accepted",
        "bulkload settle 20260301-003000-nightly --as not-sent",
        "bulkload settle 20260301-003000-nightly",
    ]
    assert summary(in_doubt(2))[-1] == "Next      bulkload settle 20260301-003000-nightly"


def test_rows_in_doubt_of_an_earlier_run_are_settled_there():
    (both,), (theirs,) = steps(in_doubt(3, sent_here=2)), steps(in_doubt(3, sent_here=0))
    assert "1 row was sent by an earlier run" in both.do
    assert (theirs.letter, theirs.answers, theirs.command) == ("", (), "bulkload runs")
    assert theirs.do.startswith("3 rows were sent by an earlier run")
    assert "by an earlier run in that run's report An earlier run sent it." in words_of(html(in_doubt(3, sent_here=0)))


def test_both_forms_tell_of_doubts_alike():
    told = in_doubt(2)
    page, text = words_of(html(told)), " ".join(re.sub(r"[|`]", " ", markdown(told)).split())
    facts = [
        "C-1••••7", "a.csv", "2026-03-01 00:34:12+05:30", "req-8f14", "A page of HTML came.", "500 of programme 1016",
        " ".join(steps(told)[0].letter.split()), *(command for _, command in steps(told)[0].answers),
    ]  # fmt: skip
    assert [fact for fact in facts if fact not in page] == []
    assert [fact for fact in facts if fact not in text] == []


def test_of_many_rows_in_doubt_the_number_shown_is_told():
    for told in (html(in_doubt(4_300)), markdown(in_doubt(4_300))):
        assert "The first 20 of 4,300" in told
        assert told.count("C-1••••7") == 20


def test_run_json_tells_of_doubts_and_notes_when_there_are_any():
    told = in_doubt(2, notes=("The host takes less.",)).as_json()
    assert told["doubts"][0] == {
        "file": "a.csv", "line": 7, "customer": "C-1••••7", "sent_at": "2026-03-01T00:34:12+05:30", "batch": 4,
        "request_id": "req-8f14", "codes": ["html"], "points": 250,
    }  # fmt: skip
    assert (len(told["doubts"]), told["notes"]) == (2, ["The host takes less."])
    assert {"doubts", "notes"} & set(report({Fate.ACCEPTED: 1}).as_json()) == set()


def test_notes_are_told_everywhere():
    note = "The host takes less than limits.rows_per_request says: 5 rows are sent with a request from now on."
    told = report({Fate.ACCEPTED: 1}, notes=(note,))
    assert summary(told)[-5:-3] == [
        "Note      The host takes less than limits.rows_per_request says: 5 rows are",
        "          sent with a request from now on.",
    ]
    for form in (html(told), markdown(told)):
        assert form.index("Nothing. Every row") < form.index("The host takes less") < form.index("Where every row")


def test_rows_that_joined_nothing_are_told_at_leisure():
    told = steps(report({Fate.ACCEPTED: 3}, unmatched={"loyalty": 2, "tiers": 0}))
    assert [(step.title, step.urgent) for step in told] == [("2 rows of loyalty not used", False)]
    assert told[0].why.endswith("or could not be read; points in them were not sent.")
    assert "unreadable" not in told[0].do
    (kept,) = steps(report(unmatched={"loyalty": 1}, files={"unreadable": "unreadable-lines"}))
    assert kept.do.endswith("are in unreadable-lines, in files named loyalty-….")


def test_run_json_tells_what_joined_nothing_when_there_is_any():
    assert report(unmatched={"loyalty": 2, "tiers": 0}).as_json()["unmatched"] == {"loyalty": 2}
    assert "unmatched" not in report(unmatched={"tiers": 0}).as_json()


@pytest.mark.parametrize(
    ("rows", "place", "then", "command"),
    [
        ({Fate.INVALID: 1}, "rejected.csv", "send the rows again", "bulkload retry"),
        ({Fate.UNREADABLE: 1}, "unreadable-lines", "run a job that reads the lines", ""),
        (
            {Fate.UNREADABLE: 1, Fate.CONFLICT: 1},
            "rejected.csv and unreadable-lines",
            "send the rows again and run a job that reads the lines",
            "bulkload retry",
        ),
    ],
)
def test_what_was_left_out_is_corrected_where_it_lies(rows, place, then, command):
    (step,) = steps(report(rows))
    assert step.do == f"Correct them in {place} when there is time, then {then}."
    assert step.command.split(" 2026")[0] == command


def test_a_retry_says_whose_rows_it_sends():
    retry = report({Fate.ACCEPTED: 1}, retry_of="20260228-003000-loyalty-nightly")
    assert retry.as_json()["retry_of"] == "20260228-003000-loyalty-nightly"
    assert "retry of 20260228-003000-loyalty-nightly" in html(retry)
    assert "retry of `20260228-003000-loyalty-nightly`" in markdown(retry)
    assert not any("retry of" in told for told in (html(report()), markdown(report())))


def test_points_in_doubt_are_named_per_programme():
    told = steps(report({Fate.IN_DOUBT: 2}, {"1016": {Fate.IN_DOUBT: 500}, "1017": {Fate.ACCEPTED: 3}}))
    assert "(500 of programme 1016)" in told[0].why


@pytest.mark.parametrize(
    ("exit_code", "do", "command"),
    [
        (1, "This is a bug", "bulkload resume 20260301-003000-nightly"),
        (2, "Mend what the sentence above names", ""),
        (3, "Look at the reasons below", "bulkload resume 20260301-003000-nightly"),
        (4, "Go on from where it stands", "bulkload resume 20260301-003000-nightly"),
    ],
)
def test_how_a_run_ended_decides_what_to_do(exit_code, do, command):
    step = steps(report(state="stopped", exit_code=exit_code, stopped_because="Something happened."))[0]
    assert (step.why, step.do.startswith(do), step.command) == ("Something happened.", True, command)


def test_totals_that_differ_are_the_first_thing_told():
    told = report(totals=Totals(10, {Fate.ACCEPTED: 7}, {}, {}))
    assert steps(told)[0].title == "The rows do not balance"
    assert "Does not balance" in html(told)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (Change("mobile", "country_code_added", 1204), "1,204 mobiles got their country code"),
        (Change("identifiers.mobile", "country_code_added", 1), "1 mobile got its country code"),
        (Change("firstName", "trimmed", 1), "1 first name lost the spaces around it"),
        (Change("lastName", "capitals_lowered", 30), "30 last names had their capitals lowered"),
        (Change("dob", "dropped_in_the_future", 12), "12 dates of birth were dropped: in the future"),
        (Change("tierExpiryDate", "shortened", 2), "2 tier expiry date values were shortened"),
        (Change("", "odd", 1), "1 other value was odd"),
    ],
)
def test_a_change_is_told_as_a_sentence(change, sentence):
    assert change_sentence(change) == sentence


def test_a_summary_fits_a_terminal():
    rows = {Fate.INVALID: 21, Fate.DUPLICATE: 9, Fate.UNCHANGED: 500, Fate.ACCEPTED: 467, Fate.REFUSED: 3}
    ticks = (Tick(0, 10, 15, 0, 0, 467, 300.0),)
    assert summary(report(rows, {"1016": {Fate.INVALID: 400, Fate.ACCEPTED: 80_800}}, ticks=ticks)) == [
        "467 of 1,000 rows are loaded, 500 are unchanged and 9 are set aside as the job",
        "asks. 21 rows were left out because something in them is wrong, 3 need a",
        "person.",
        "Invalid                     21    2.1%  Accepted                   467   46.7%",
        "Duplicate                    9    0.9%  Refused                      3    0.3%",
        "Unchanged                  500   50.0%",
        "Points    80,800 of 81,200 credited in programme 1016",
        "Requests  12 sent, 0 throttled, 90 a minute allowed",
        "Files     report.html, rejected.csv",
        "Next      bulkload retry 20260301-003000-nightly",
    ]


def test_a_guard_is_told_whole_in_a_terminal():
    why = (
        "guards.max_invalid_percent: invalid or unreadable are 146 of 2,000 rows (7.3 %), 5 % are allowed; "
        "see the reasons in the report, or raise it in the job file"
    )
    rows, ended = {Fate.INVALID: 146, Fate.NOT_SENT: 1854}, {"state": "stopped", "exit_code": 3}
    told = summary(report(rows, requests=Requests(), stopped_because=why, **ended))
    assert [*told[-8:-5], told[-1]] == [
        "Stopped   guards.max_invalid_percent: invalid or unreadable are 146 of 2,000",
        "          rows (7.3 %), 5 % are allowed; see the reasons in the report, or",
        "          raise it in the job file",
        "Next      bulkload resume 20260301-003000-nightly",
    ]


def test_a_finished_run_says_which_guard_it_broke():
    told = report({Fate.ACCEPTED: 90, Fate.REFUSED: 10}, exit_code=3, stopped_because="guards.max_refused_percent: …")
    _, guard = steps(told)
    assert (guard.title, guard.why, guard.command) == ("A guard is broken", "guards.max_refused_percent: …", "")
    assert "Guard     guards.max_refused_percent: …" in summary(told)


@given(
    rows=st.dictionaries(st.sampled_from(list(Fate)), st.integers(0, 10**8)),
    programmes=st.lists(st.text(max_size=90), max_size=30, unique=True),
    state=st.sampled_from(["done", "stopped", "failed"]),
    text=st.text(max_size=200),
    notes=st.lists(st.text(max_size=200), max_size=9),
)
def test_a_summary_never_exceeds_its_page(rows, programmes, state, text, notes):
    points = {name: {Fate.ACCEPTED: 10**9} for name in programmes}
    words = {"stopped_because": text, "run": text or "r", "files": {"a": text}, "notes": tuple(notes)}
    told = summary(report(rows, points, state=state, **words))
    assert len(told) <= 15
    assert max(len(line) for line in told) <= 78
    assert all(line.isprintable() for line in told)


def test_programmes_without_room_are_counted():
    told = summary(report({Fate.ACCEPTED: 1}, {str(place): {Fate.ACCEPTED: 1} for place in range(30)}))
    assert len(told) == 15
    assert "Points    21 more programmes are in the report" in told


@pytest.mark.parametrize("place", ["job", "run", "destination", "started", "stopped_because", "operation", "mode"])
def test_what_others_wrote_cannot_become_markup(place):
    told = report({Fate.ACCEPTED: 1}, **{place: HOSTILE, "state": "failed"})
    assert "<script" not in html(told)
    assert "<script" not in re.sub(r"`[^`]*`", "", markdown(told))


def test_rows_and_files_cannot_become_markup():
    told = report(
        {Fate.INVALID: 1, Fate.IN_DOUBT: 1},
        {HOSTILE: {Fate.INVALID: 1}},
        reasons=(Reason(Fate.INVALID, HOSTILE, 1, HOSTILE, HOSTILE, (Example(HOSTILE, 1, HOSTILE),)),),
        changes=(Change(HOSTILE, HOSTILE, 1),),
        origins=(Origin(HOSTILE, HOSTILE, 1, HOSTILE, 1),),
        unmatched={HOSTILE: 1},
        files={HOSTILE: HOSTILE},
        seconds={HOSTILE: 1.0},
        doubts=(Doubtful(HOSTILE, 1, HOSTILE, HOSTILE, 1, HOSTILE, (HOSTILE,), 1),),
        doubtful_requests=(DoubtfulRequest(1, datetime(2026, 3, 1, tzinfo=UTC), HOSTILE, 1, 1),),
        destination=HOSTILE,
        clusters=Clusters(1, (Cluster(1, 2, 2, (Shared(HOSTILE, HOSTILE),), (Member(HOSTILE, 1, HOSTILE),)),)),
        notes=(HOSTILE,),
    )
    assert "<script" not in html(told)
    assert "<script" not in re.sub(r"`[^`]*`", "", markdown(told))


def test_a_pipe_does_not_end_a_markdown_cell():
    told = markdown(report({Fate.INVALID: 1}, reasons=(reason(Fate.INVALID, "a|b", text="one | two\nthree"),)))
    assert r"| 1 | Invalid | `a\|b` | one \| two three | one \| two three | a.csv:7 C-1••••7 |" in told


def test_an_apostrophe_stays_one_in_markdown():
    told = markdown(report(reasons=(reason(Fate.INVALID, "a", text="Nobody's #1 <b>"),)))
    assert "| Nobody's \\#1 &lt;b&gt; |" in told


def test_a_report_says_first_what_needs_a_person():
    told = html(report({Fate.INVALID: 9, Fate.IN_DOUBT: 1}))
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", told) == [
        "What needs a person",
        "Where every row ended",
        "Control totals",
        "Reasons",
        "What cleaning changed",
        "Requests",
        "Sources",
        "The run",
    ]
    assert told.index("1 row in doubt") < told.index("9 rows left out before sending") < told.index("Where every row")


CLUSTER = Cluster(
    4, 6, 3, (Shared("mobile", "91••••99"), Shared("email", "a••••@••••.com")), (Member("a.csv", 7, "C-1"),)
)


def test_people_see_who_shares_what_with_whom():
    told = report({Fate.CONFLICT: 6}, clusters=Clusters(30, (CLUSTER,)))
    assert "| 4 | mobile 91••••99<br>email a••••@••••.com | 3 | 6 | a.csv:7 C-1<br>and 5 more |" in markdown(told)
    page = unescape(re.sub(r"<[^>]*>|\s+", " ", html(told)))
    assert "The largest 1 of 30 clusters" in page
    assert re.search("91••••99 +mobile +a••••@••••.com +email +cluster 4 +3 +6 +a.csv:7 +C-1 +and 5 more", page)


def test_machines_see_who_shares_what_with_whom():
    told = report({Fate.CONFLICT: 6}, clusters=Clusters(30, (CLUSTER,))).as_json()
    assert told["clusters_found"] == 30
    assert told["clusters"] == [
        {
            "cluster": 4,
            "rows": 6,
            "customers": 3,
            "shared": [{"type": "mobile", "value": "91••••99"}, {"type": "email", "value": "a••••@••••.com"}],
            "lines": ["a.csv:7"],
        }
    ]
    assert {"clusters", "clusters_found"} & set(report({Fate.ACCEPTED: 1}).as_json()) == set()


def test_with_nothing_to_do_it_says_so():
    for told in (html(report({Fate.ACCEPTED: 5})), markdown(report({Fate.ACCEPTED: 5}))):
        assert "Nothing. Every row that was sent has an answer, and none was refused." in told
    assert summary(report({Fate.ACCEPTED: 5}))[-1] == "Next      nothing to do"


def test_reasons_for_a_person_stand_before_twenty_others():
    told = html(
        report(reasons=(*(reason(Fate.INVALID, f"i{place}") for place in range(30)), reason(Fate.REFUSED, "8007")))
    )
    assert told.index("8007") < told.index("<code>i0</code>") < told.index("11 more reasons") < told.index("i29")


def test_reasons_of_rows_in_doubt_stand_first_of_all():
    told = markdown(
        report(reasons=tuple(reason(fate, fate.value) for fate in (Fate.INVALID, Fate.REFUSED, Fate.IN_DOUBT)))
    )
    assert re.findall(r"\| `(\w+)` \|", told) == ["in_doubt", "refused", "invalid"]


def test_neither_form_asks_the_network_or_runs_code():
    told = html(report({Fate.ACCEPTED: 5}))
    assert re.findall(r"<script|(?:src|href)=\"(?!data:,\")|@import|url\((?!#)", told) == []


def test_times_are_shown_as_they_were_given():
    for told in (html(report()), markdown(report())):
        assert "2026-03-01T00:30:00+05:30" in told
        assert "2026-03-01T00:41:12+05:30" in told


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (0, 0, "0%"),
        (0, 9, "0%"),
        (9, 9, "100%"),
        (1, 10_000_000, "< 0.1%"),
        (9_999_999, 10_000_000, "> 99.9%"),
        (1, 3, "33.3%"),
    ],
)
def test_a_share_never_rounds_to_nothing_or_all(part, whole, said):
    assert share(part, whole) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0 s"),
        (9.44, "9.4 s"),
        (59.96, "1 min 0 s"),
        (672, "11 min 12 s"),
        (3600, "1 h 0 min"),
        (99_999, "27 h 46 min"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(("size_bytes", "said"), [(0, "0 bytes"), (1_234_567, "1.2 MB"), (10**16, "10,000.0 TB")])
def test_a_size_reads_as_in_a_file_manager(size_bytes, said):
    assert size(size_bytes) == said


def test_a_bar_names_what_has_room_and_tells_all():
    bar = fate_bar({Fate.ACCEPTED: 9_999_998, Fate.IN_DOUBT: 2}, {Fate.ACCEPTED: "Accepted", Fate.IN_DOUBT: "In doubt"})
    assert "<desc>Accepted 9,999,998 (&gt; 99.9%), In doubt 2 (&lt; 0.1%)</desc>" in bar
    assert re.findall(r"<text[^>]*>(.*?)</text>", bar) == ["Accepted &gt; 99.9%", "Accepted &gt; 99.9%"]


def test_many_slices_become_few_and_lose_nothing():
    ticks = [Tick(place * 10.0, 10.0, 15, 1, 0, 750, 300.0) for place in range(4999)]
    few = merge_ticks([*ticks, Tick(49_990.0, 0.2, 1, 0, 0, 50, None)])
    assert len(few) <= 60
    assert (sum(t.sent for t in few), sum(t.throttled for t in few)) == (4999 * 15 + 1, 4999)


def test_a_last_moment_does_not_look_like_a_peak():
    few = merge_ticks([Tick(0, 10, 15, 0, 0, 750, 300.0), Tick(10, 0.1, 1, 0, 0, 50, 200.0)])
    assert few == [Tick(0, 10.1, 16, 0, 0, 800, 250.0)]


def test_nothing_sent_draws_no_chart():
    assert timeline((), 90) == []
    assert "No request was sent." in html(report())
