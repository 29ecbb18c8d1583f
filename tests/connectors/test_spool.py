"""A run's folder: parts that come back as they were written, for their owner's eyes only."""

import stat

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.private import private, room_in
from connectors.spool import Part, Spool
from connectors.spool_tables import DROPPED, FIRSTS, WAVES, WITHHELD
from schemas.memory import FORGOTTEN, REFUSED

FIRST = Part(number=0, first_row=0, rows=2, unreadable=1)
SECOND = Part(number=1, first_row=3, rows=2)
NESTED = Part(number=0, first_row=5, rows=1, table="family")


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
    assert [slice_.to_pydict() for slice_ in spool.written("prepared", FIRST)] == [{"row": [0, 1]}, {"row": [2]}]


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
    spool.write("rows", NESTED, pa.table({"0": ["a"]}))
    inside = list(spool.folder.rglob("*"))
    assert {mode(path) for path in inside if path.is_dir()} == {0o700} == {mode(spool.folder)}
    assert {mode(path) for path in inside if path.is_file()} == {0o600}


def test_a_nested_table_has_parts_of_its_own(spool):
    for part in (FIRST, NESTED):
        for kind in ("rows", "prepared"):
            spool.write(kind, part, pa.table({"row": [part.first_row]}))
    assert spool.read("rows", NESTED).to_pydict() == {"row": [5]}
    with spool.database() as database:
        for kind in ("rows", "prepared"):
            assert spool.relation(database, kind).fetchall() == [(0,)]
            assert spool.relation(database, kind, "family").fetchall() == [(5,)]


def test_a_packed_table_comes_back_in_slices(spool):
    spool.write("prepared", FIRST, pa.table({"row": range(9_000), "more": range(9_000)}))
    slices = list(spool.slices("prepared", FIRST, ["row"]))
    assert len(slices) > 1
    assert pa.concat_tables(slices).to_pydict() == {"row": list(range(9_000))}


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


def test_many_that_come_in_no_order_are_kept_in_order(spool):
    (spool.folder / "memory").mkdir()
    with spool.database() as database:
        found = "select (7 * i) % 5 as row, 'unchanged' as fate, null as code, null as stands_for from range(5) t(i)"
        spool.write_many_dropped("changes", database.sql(found), database)
        spool.view_dropped(database)
        assert database.sql("select row from dropped").fetchall() == [(0,), (1,), (2,), (3,), (4,)]


def test_what_rows_go_without_is_told_per_part(spool):
    assert spool.withheld(FIRST).equals(WITHHELD.empty_table())
    with spool.database() as database:
        found = "select * from (values (1, '1016', true), (4, '1016', false)) t(row, programme, differs)"
        spool.write_withheld(database.sql(found))
    assert spool.withheld(SECOND).to_pylist() == [{"row": 4, "programme": "1016", "differs": False}]


def test_what_the_ledger_remembers_can_be_asked_for_while_it_is_laid_out(spool):
    keys = pa.table([[b"k" * 16]], schema=FORGOTTEN)
    with spool.database() as database:
        spool.write_memory("forgotten", iter([keys, keys]), FORGOTTEN)
        spool.write_memory("refused", iter([]), REFUSED)
        spool.view_memory(database)
        asked = "select (select count(*) from forgotten), (select count(*) from refused)"
        assert database.sql(asked).fetchall() == [(2, 0)]
    assert {mode(path) for path in (spool.folder / "memory").iterdir()} == {0o600}
    spool.clear_memory()
    assert list((spool.folder / "memory").iterdir()) == []


def test_what_a_retrys_rows_were_first_is_told_per_part(spool):
    assert spool.firsts(FIRST).equals(FIRSTS.empty_table())
    with spool.database() as database:
        found = "select * from (values (1, 'monday', 'a.csv', 3, 'invalid'), (4, 'monday', 'a.csv', 9, 'refused'))"
        spool.write_firsts(database.sql(f"{found} t({', '.join(FIRSTS.names)})"))
    assert spool.firsts(FIRST)["first_line"].to_pylist() == [3]
    assert spool.firsts(SECOND)["first_fate"].to_pylist() == ["refused"]


def test_rows_that_go_after_others_are_told_by_wave(spool):
    assert spool.waves().equals(WAVES.empty_table())
    pq.write_table(
        pa.table({"row": [7, 2], "wave": [1, 2], "waits_for": [None, 7], "more": [0, 0]}),
        spool.folder / "waves.parquet",
    )
    assert spool.waves().equals(pa.table({"row": [7, 2], "wave": [1, 2], "waits_for": [None, 7]}, schema=WAVES))


PAYLOADS = pa.table({"row": range(10, 20), "payload": [b"%d" % n for n in range(10)], "more": [None] * 10})
WIDE = Part(number=2, first_row=10, rows=10)


def test_some_rows_are_read_without_the_others(spool):
    """Of three groups of rows one is damaged on disk: who does not ask for its rows does not notice."""
    spool.write_slices("prepared", WIDE, iter([PAYLOADS.slice(0, 4), PAYLOADS.slice(4, 4), PAYLOADS.slice(8)]))
    path = spool.path("prepared", WIDE)
    group = pq.read_metadata(path).row_group(1).column(1)
    with path.open("r+b") as opened:
        opened.seek(group.data_page_offset)
        opened.write(b"\xff" * group.total_compressed_size)
    found = spool.rows_of("prepared", WIDE, pa.array([11, 13, 18]), ["row", "payload", "absent"])
    assert found.to_pydict() == {"row": [11, 13, 18], "payload": [b"1", b"3", b"8"]}
    with pytest.raises(OSError):
        spool.rows_of("prepared", WIDE, pa.array([14]), ["row", "payload"])


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
