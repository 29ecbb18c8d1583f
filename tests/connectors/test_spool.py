"""A run's folder: parts that come back as they were written, for their owner's eyes only."""

import stat

import pyarrow as pa
import pytest

from connectors.spool import DROPPED, FIRSTS, Part, Spool, private, room_in

FIRST = Part(number=0, first_row=0, rows=2, unreadable=1)
SECOND = Part(number=1, first_row=3, rows=2)


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / "home" / "run")
    spool.create()
    return spool


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_part_comes_back_as_it_was_written(spool):
    table = pa.table({"0": ["a", None], "row": [0, 1]})
    spool.write("rows", FIRST, table)
    assert spool.read("rows", FIRST).equals(table)
    assert spool.read("rows", FIRST, ["row"]).column_names == ["row"]
    assert spool.names("rows", FIRST) == ["0", "row"]


def test_a_part_comes_back_in_the_slices_it_was_written_in(spool):
    slices = [pa.table({"row": [0, 1]}), pa.table({"row": [2]})]
    spool.write_slices("prepared", FIRST, iter(slices))
    assert [slice_.to_pydict() for slice_ in spool.slices("prepared", FIRST)] == [{"row": [0, 1]}, {"row": [2]}]


def test_each_part_knows_its_rows_of_a_cluster(spool):
    assert spool.clusters(FIRST).num_rows == 0
    with spool.database() as database:
        spool.write_clusters(
            database.sql(
                "select * from (values (1, 0, 7, true), (3, 0, 7, true)) as t(row, cluster, shared, to_be_sent)"
            )
        )
    assert [spool.clusters(part)["row"].to_pylist() for part in (FIRST, SECOND)] == [[1], [3]]


def test_everything_is_its_owners_alone(spool):
    spool.write("rows", FIRST, pa.table({"0": ["a"]}))
    spool.write("joined/loyalty", FIRST, pa.table({"0": ["a"]}))
    inside = list(spool.folder.rglob("*"))
    assert {mode(path) for path in inside if path.is_dir()} == {0o700} == {mode(spool.folder)}
    assert {mode(path) for path in inside if path.is_file()} == {0o600}


def test_rows_are_counted_through_the_parts():
    assert (FIRST.end_row, SECOND.end_row) == (3, 5)


def test_what_settling_dropped_is_told_per_part(spool):
    assert spool.dropped(FIRST).equals(DROPPED.empty_table())
    with spool.database() as database:
        found = (
            "select * from (values (1, 'duplicate', 'x', 4), (4, 'duplicate', 'x', 3)) t(row, fate, code, stands_for)"
        )
        spool.write_dropped("duplicates", database.sql(found))
    assert spool.dropped(FIRST)["row"].to_pylist() == [1]
    assert spool.dropped(SECOND)["row"].to_pylist() == [4]


def test_what_a_retrys_rows_were_first_is_told_per_part(spool):
    assert spool.firsts(FIRST).equals(FIRSTS.empty_table())
    with spool.database() as database:
        found = "select * from (values (1, 'monday', 'a.csv', 3, 'invalid'), (4, 'monday', 'a.csv', 9, 'refused'))"
        spool.write_firsts(database.sql(f"{found} t({', '.join(FIRSTS.names)})"))
    assert spool.firsts(FIRST)["first_line"].to_pylist() == [3]
    assert spool.firsts(SECOND)["first_fate"].to_pylist() == ["refused"]


def test_all_parts_are_one_table_to_ask(spool):
    spool.write("rows", FIRST, pa.table({"row": [0, 1]}))
    spool.write("rows", SECOND, pa.table({"row": [3, 4]}))
    with spool.database() as database:
        assert spool.relation(database, "rows").aggregate("sum(row)").fetchall() == [(8,)]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    with private(tmp_path / "file") as file:
        file.write(b"whole")
    with pytest.raises(RuntimeError), private(tmp_path / "file") as file:
        file.write(b"ha")
        raise RuntimeError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"whole")]
    assert mode(tmp_path / "file") == 0o600


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), room_in(tmp_path):
        (tmp_path / "absent").read_bytes()
