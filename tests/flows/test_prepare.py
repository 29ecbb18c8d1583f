"""Several tables and odd files on their way into parts: each row of them is accounted for."""

import csv
import gzip
import json
import stat

import pyarrow.parquet as pq
import pytest

CUSTOMERS = "member_no,phone,first_name\nC-1,9845000001,Asha\n C-2 ,9845000002,Ravi\nC-3,9845000003,Uma\n"
LOYALTY = {"source": {"loyalty": {"files": "loyalty.csv", "join": {"on": "member_no"}}}}


@pytest.fixture
def joined(desk):
    """Runs the customers above with this loyalty table beside them."""

    def run(loyalty: str, customers: str = CUSTOMERS):
        desk.write("customers.csv", customers)
        desk.write("loyalty.csv", loyalty)
        desk.sandbox.preload(["C-1", "C-2", "C-3"])
        return desk.run(**LOYALTY)

    return run


def unmatched(desk, run) -> str:
    """The report's line on rows of the joined table that nobody asked for; empty when there are none."""
    report = (desk.of(run) / "report.md").read_text(encoding="utf-8")
    return next((line for line in report.splitlines() if "were not used" in line), "")


def test_points_come_from_the_joined_table(desk, joined):
    run = joined("member_no,points\nC-3,30\nC-2,20\n")
    assert (run.exit_code, run.sent, run.points) == (0, {"accepted": 3}, {"read": 50, "accepted": 50})
    assert desk.books.points_of("externalId", "C-1") == []
    assert desk.books.points_of("externalId", "C-2") == [(1016, 20)]
    assert unmatched(desk, run) == ""
    assert desk.agrees(run)


def test_a_customer_with_several_joined_rows_is_not_guessed(desk, joined):
    run = joined("member_no,points\nC-1,10\nC-2,20\nC-1,11\n")
    assert run.sent == {"invalid": 1, "accepted": 2}
    assert [reason["code"] for reason in run.told["reasons"]] == ["join.several_rows"]
    assert desk.agrees(run)


def test_joined_rows_without_a_customer_are_told(desk, joined):
    run = joined("member_no,points\nC-1,10\nC-8,80\n,90\nbroken line\n")
    assert run.sent == {"accepted": 3}
    assert "loyalty: 3 rows" in unmatched(desk, run)
    assert desk.agrees(run)


def test_run_json_counts_joined_rows_without_a_customer(desk, joined):
    run = joined("member_no,points\nC-1,10\nC-8,80\n")
    assert run.told["unmatched"] == {"loyalty": 1}
    assert json.loads((desk.of(run) / "run.json").read_text(encoding="utf-8"))["unmatched"] == {"loyalty": 1}
    assert "1 row of loyalty not used" in (desk.of(run) / "report.md").read_text(encoding="utf-8")


def test_broken_lines_of_a_joined_table_are_kept_byte_for_byte(desk, joined):
    run = joined("member_no,points\nC-1,10\nbroken\r\nC-2,20\nbroken,too,é\n")
    kept = desk.of(run) / "unreadable-lines" / "loyalty-loyalty.csv"
    assert kept.read_bytes() == "broken\r\nbroken,too,é\n".encode()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run.told["files"]["unreadable"] == "unreadable-lines"
    assert run.sent == {"accepted": 3}


def test_broken_lines_of_both_tables_do_not_mix(desk, joined):
    run = joined("member_no,points\nC-1,10\ntheirs\n", customers=CUSTOMERS + "ours\n")
    folder = desk.of(run) / "unreadable-lines"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert kept == {"customers.csv": b"ours\n", "loyalty-loyalty.csv": b"theirs\n"}


def test_a_joined_table_without_customers_keeps_its_broken_lines(desk, joined):
    run = joined("member_no,points\nbroken\n", customers="member_no,phone,first_name\n")
    assert run.told["unmatched"] == {"loyalty": 1}
    assert (desk.of(run) / "unreadable-lines" / "loyalty-loyalty.csv").read_bytes() == b"broken\n"


def test_what_cleaning_trims_around_keys_does_not_keep_rows_apart(desk, joined):
    run = joined("member_no,points\n\u200bC-1\t,10\nC-2\u00a0,20\n\u3000C-3\u00a0\ufeff,30\n")
    assert (run.sent, run.points) == ({"accepted": 3}, {"read": 60, "accepted": 60})
    assert "unmatched" not in run.told


def test_a_joined_table_without_rows_joins_nothing(desk, joined):
    run = joined("member_no,points\n")
    assert (run.exit_code, run.sent, run.told["points"]) == (0, {"accepted": 3}, {"1016": {"read": 0}})


def test_no_customers_leave_all_joined_rows_unmatched(desk, joined):
    run = joined("member_no,points\nC-1,10\nC-2,20\n", customers="member_no,phone,first_name\n")
    assert (run.exit_code, run.sent) == (0, {})
    assert "loyalty: 2 rows" in unmatched(desk, run)


def test_a_file_of_broken_lines_only_is_a_run_of_them(desk):
    desk.write("customers.csv", "member_no,phone,first_name,points\nbroken\nbroken, too\n")
    run = desk.run()
    assert (run.exit_code, run.sent, run.told["rows"]["read"]) == (0, {"unreadable": 2}, 2)
    assert (desk.of(run) / "unreadable-lines" / "customers.csv").read_bytes() == b"broken\nbroken, too\n"


def test_files_of_one_name_are_told_apart(desk):
    head = "member_no,phone,first_name,points\n"
    for place, folder in enumerate(["east", "west"], start=1):
        (desk.folder / "in" / folder).mkdir(parents=True)
        desk.write(f"in/{folder}/x.csv", f"{head}C-{place},98450,A,x\nbroken in the {folder}\n")
    run = desk.run(source={"customers": {"files": "in/*/x.csv"}})
    assert run.sent == {"unreadable": 2, "invalid": 2}
    assert {row["file"] for row in desk.results(run)} == {"east/x.csv", "west/x.csv"}
    with (desk.of(run) / "rejected.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["member_no"], row["_file"]) for row in csv.DictReader(file)] == [
            ("C-1", "east/x.csv"),
            ("C-2", "west/x.csv"),
        ]
    kept = {path.name: path.read_bytes() for path in (desk.of(run) / "unreadable-lines").iterdir()}
    assert kept == {"east__x.csv": b"broken in the east\n", "west__x.csv": b"broken in the west\n"}
    sources = json.loads((desk.of(run) / "plan.json").read_text(encoding="utf-8"))["sources"]
    assert [source["file"] for source in sources] == ["east/x.csv", "west/x.csv"]


def test_lines_of_a_packed_source_are_kept_unpacked_under_a_plain_name(desk):
    desk.write("customers.csv.gz", gzip.compress(b"member_no,phone,first_name,points\nbroken\n"))
    run = desk.run(source={"customers": {"files": "customers.csv.gz"}})
    assert {row["file"] for row in desk.results(run)} == {"customers.csv.gz"}
    kept = {path.name: path.read_bytes() for path in (desk.of(run) / "unreadable-lines").iterdir()}
    assert kept == {"customers.csv": b"broken\n"}


def test_broken_lines_do_not_come_back_as_rows_without_a_key(desk):
    desk.write("customers.csv", "member_no,phone,first_name,points\nbroken\nC-1,9845000001,A,x\n")
    desk.sandbox.preload(["C-1"])
    first = desk.run()
    rejected = (desk.of(first) / "rejected.csv").read_text(encoding="utf-8")
    desk.write("customers.csv", rejected.replace('"x"', '"1"'))
    assert (first.sent, desk.run().sent) == ({"unreadable": 1, "invalid": 1}, {"accepted": 1})


def test_unreadable_lines_belong_to_the_part_they_stand_in(desk):
    rows = "".join(f"C-{n},98450{n:05},A,1\n" + ("broken\n" if n % 100 == 0 else "") for n in range(1, 301))
    desk.write("customers.csv", "member_no,phone,first_name,points\n" + rows)
    run = desk.run(run={"part_rows": 100})
    assert run.told["rows"]["read"] == 303
    assert run.sent["unreadable"] == 3
    assert sorted(row["line"] for row in desk.results(run) if row["fate"] == "unreadable") == [102, 203, 304]


def test_a_quoted_line_break_keeps_the_right_line_numbers(desk):
    desk.write("customers.csv", 'member_no,phone,first_name,points\nC-1,9845000001,"A\nB",1\nC-2,98450,R,2\n')
    desk.sandbox.preload(["C-1"])
    run = desk.run(map={"identifiers": {"mobile": {"column": "phone", "required": True}}})
    assert [(row["line"], row["fate"]) for row in desk.results(run)] == [(2, "accepted"), (4, "invalid")]


def test_other_dialects_are_read_as_the_job_says(desk):
    desk.write("customers.csv", "export of today\nC-1;9845000001;Jos\xe9;5\n".encode("cp1252"))
    desk.sandbox.preload(["C-1"])
    names = ["member_no", "phone", "first_name", "points"]
    csv = {"delimiter": ";", "encoding": "cp1252", "skip_rows": 1, "columns": names}
    run = desk.run(source={"customers": {"csv": csv}})
    assert run.sent == {"accepted": 1}
    profile = desk.books.customer("externalId", "C-1").profiles[0]
    assert profile.first_name == "José"


def test_the_same_file_migrated_twice_credits_nobody_twice(desk):
    desk.source(3)
    first, second = desk.run(), desk.run()
    assert (first.sent, second.sent) == ({"accepted": 3}, {"unchanged": 3})
    assert desk.books.credited_twice() == []


def test_a_changed_row_does_not_credit_again(desk):
    desk.source(3)
    desk.run()
    desk.write("customers.csv", "member_no,phone,first_name,points\nC-2,9845000002,Renamed,2\nC-3,9845000003,Asha,\n")
    again = desk.run()
    assert (again.sent, again.points) == ({"accepted": 1, "unchanged": 1}, {"read": 2, "unchanged": 2})
    assert desk.books.customer("externalId", "C-2").profiles[0].first_name == "Renamed"
    assert desk.books.credited_twice() == []


def test_a_doubtful_credit_stays_in_doubt_in_the_next_run(desk_with):
    desk = desk_with("lost:1")
    desk.source(8)
    first, second = desk.run(), desk.run()
    assert (first.sent, second.sent) == ({"in_doubt": 5, "accepted": 3}, {"in_doubt": 5, "unchanged": 3})
    assert (second.exit_code, second.told["requests"]["sent"]) == (5, 0)
    assert desk.books.credited_twice() == []


def test_prepared_parts_hold_bytes_and_no_columns_of_the_source(desk):
    desk.source(3)
    run = desk.run()
    prepared = pq.read_table(desk.of(run) / "prepared" / "00000.parquet")
    assert prepared["payload"].to_pylist()[0].startswith(b'{"profiles":[{')
    assert {"member_no", "phone", "first_name"} & set(prepared.column_names) == set()
