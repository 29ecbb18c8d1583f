"""A run whose customer was erased goes on as if nothing had happened; who dies while erasing finds the rest again."""

import os
import signal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import erasing

pytestmark = pytest.mark.usefixtures("impatient")


def forget(desk, identifier):
    return desk("forget", identifier, "--yes")


def named(desk, text) -> list[str]:
    """The files of runs that hold a text, decoded."""
    found = []
    for path in sorted(path for path in desk.home.glob("*/**/*") if path.is_file()):
        whole = path.read_bytes().decode("latin-1")
        whole += str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else ""
        if text.lower() in whole.lower():
            found.append(path.name)
    return found


def test_a_stopped_run_goes_on_without_them(desk):
    desk.source(40)
    with (desk.folder / "customers.csv").open("a", encoding="utf-8") as file:
        file.write("C-1,9845000001,Qxzvname,1\n")
    with desk.meanwhile(1, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        run = desk.run(limits={"requests_per_minute": 1200}, rules={"duplicates": {"keep": "first"}})
    assert set(run.sent) == {"accepted", "not_sent", "duplicate"}
    before = desk.results(run)
    assert forget(desk, "C-1").exit_code == 0
    assert named(desk, "Qxzvname") == []
    resumed = desk("resume")
    assert (resumed.exit_code, resumed.sent) == (0, {"accepted": 40, "duplicate": 1})
    assert resumed.points == {"read": 821, "accepted": 820, "duplicate": 1}
    assert desk.agrees(resumed)
    after = desk.results(resumed)
    for place in (0, 40):
        assert (after[place]["fate"], after[place]["codes"]) == (before[place]["fate"], before[place]["codes"])
        assert after[place]["key_hash"] is None
    assert forget(desk, "C-1").told["runs"] == []


def test_a_row_that_was_not_sent_yet_comes_first(desk):
    desk.source(40)
    with desk.meanwhile(1, lambda: os.kill(os.getpid(), signal.SIGTERM)):
        run = desk.run(limits={"requests_per_minute": 1200})
    (problem,) = forget(desk, "C-40").told["problems"]
    assert problem.startswith(f"run {run.told['run']}: it stopped before it sent them; first: bulkload resume")
    assert desk("resume").exit_code == 0
    assert forget(desk, "C-40").exit_code == 0


def test_others_in_doubt_are_settled_afterwards(desk_with):
    desk = desk_with("lost:1")
    desk.source(6)
    run = desk.run()
    assert run.sent == {"accepted": 1, "in_doubt": 5}
    (accepted,) = [row["line"] for row in desk.results(run) if row["fate"] == "accepted"]
    name = f"C-{accepted - 1}"
    assert forget(desk, name).exit_code == 0
    settled = desk("settle", run.told["run"], "--as", "accepted")
    assert (settled.exit_code, settled.sent, settled.points) == (0, {"accepted": 6}, {"read": 21, "accepted": 21})
    (theirs,) = [row for row in desk.results(settled) if row["line"] == accepted]
    assert (theirs["key_hash"], theirs["entity_id"], theirs["payload_digest"]) == (None, None, None)
    assert desk("trace", name).told["touches"] == []


class Died(Exception):
    """The machine went down."""


@pytest.mark.parametrize("writes", range(6))
def test_who_dies_midway_asks_once_more(desk, monkeypatch, writes):
    desk.write(
        "customers.csv", "member_no,phone,first_name,points\nC-9,9845071077,Qxzvname,1\nC-8,12,Ravi,2\n,12,Uma,1\n"
    )
    desk.sandbox.preload(["C-9", "C-8"])
    run = desk.run()
    left, rewritten = iter(range(writes)), erasing.rewrite_table

    def dying(*given):
        if next(left, None) is None:
            raise Died
        rewritten(*given)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "rewrite_table", dying)
        if writes < 3:  # rows, prepared, results
            with pytest.raises(Died):
                forget(desk, "9845071077")
        else:
            assert forget(desk, "9845071077").exit_code == 0
    assert forget(desk, "9845071077").exit_code == 0
    assert (named(desk, "Qxzvname"), named(desk, "9845071077")) == ([], [])
    assert [row["fate"] for row in desk.results(run)] == ["accepted", "accepted", "invalid"]
    assert desk("trace", "C-8").told["touches"][0]["fate"] == "accepted"


def test_a_child_goes_with_its_row_and_out_of_other_payloads(desk):
    """Laid out as nested tables are: C-1 has child 2, which also stands in C-2's payload, and child 3 is C-2's."""
    desk.source(2)
    run = desk.run(map={"loyaltyProgramEnrollments": None})
    folder, prepared = desk.of(run), desk.of(run) / "prepared" / "00000.parquet"
    table = pq.read_table(prepared)
    children = pa.array([[2], [2, 3]], pa.list_(pa.int64()))
    pq.write_table(table.append_column("children", children), prepared)
    raw = pa.table({"row": [2, 3], "parent": [0, 1], "0": ["Qxzvchild", "Ravichild"],
                    "file": pa.array([0, 0], pa.int32()), "line": [2, 3]})  # fmt: skip
    blank = {name: pa.nulls(2, table.schema.field(name).type) for name in table.column_names}
    nested = {name: raw.column(name) if name in raw.column_names else blank[name] for name in table.column_names}
    nested |= {"parent": raw.column("parent"), "payload": pa.array([b"Qxzvchild", b"Ravichild"])}
    tables = {"nested/f/prepared": pa.table(nested), "joining/f": raw, "nested/f/again": raw.slice(0, 1),
              "nested/f/rows": raw}  # fmt: skip
    for kind, rows in tables.items():
        (folder / kind).mkdir(parents=True)
        pq.write_table(rows, folder / kind / "00000.parquet")
    results = pq.read_table(folder / "results.parquet")
    pq.write_table(pa.concat_tables([results, results]), folder / "results.parquet")
    assert forget(desk, "C-1").exit_code == 0
    assert (named(desk, "Qxzvchild"), len(named(desk, "Ravichild"))) == ([], 3)
    payloads = pq.read_table(prepared).column("payload").to_pylist()
    assert payloads == [None, None]
    assert pq.read_table(prepared).column("key")[1].as_py() is not None
