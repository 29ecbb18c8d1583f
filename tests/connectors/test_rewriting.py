"""Files are written anew whole or not at all, and keep all that was not changed."""

import stat

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rewriting import (
    blank_cells,
    clear_leftovers,
    column_of,
    cut_lines,
    cut_records,
    names_of,
    rewrite_table,
    rewrite_text,
    rows_of,
)
from connectors.spool import Part, Spool

ROWS = pa.table({"row": range(10), "name": [f"n{row}" for row in range(10)]})


@pytest.fixture(params=["rows", "prepared"])
def path(request, tmp_path):
    """The same table, unpacked and packed, in pieces of three rows."""
    spool, part = Spool(tmp_path / "run"), Part(0, 0, 10)
    spool.create()
    spool.write_slices(request.param, part, (ROWS.slice(start, 3) for start in range(0, 10, 3)))
    return spool.path(request.param, part)


def whole(path):
    return pa.ipc.open_file(path.read_bytes()).read_all() if path.suffix == ".arrow" else pq.read_table(path)


def test_each_piece_meets_what_lies_along_it(path):
    met = []

    def change(piece, where):
        met.append((piece.column("row").to_pylist(), where.to_pylist()))
        return piece.filter(where)

    even = pa.array([row % 2 == 0 for row in range(10)])
    rewrite_table(path, change, even)
    assert all(len(rows) == len(where) for rows, where in met)
    assert [row for rows, _ in met for row in rows] == list(range(10))
    assert whole(path).column("name").to_pylist() == ["n0", "n2", "n4", "n6", "n8"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_fails_changes_nothing(path):
    before = path.read_bytes()

    def failing(piece):
        if piece.column("row")[0].as_py() > 5:
            raise ValueError
        return piece

    with pytest.raises(ValueError):
        rewrite_table(path, failing)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_column_is_read_alone(path):
    assert names_of(path) == ["row", "name"]
    assert column_of(path, "name").to_pylist() == ROWS.column("name").to_pylist()


def test_results_stay_packed_as_they_were(tmp_path):
    path = tmp_path / "results.parquet"
    pq.write_table(ROWS, path, compression="zstd")
    rewrite_table(path, lambda piece: piece)
    column = pq.read_metadata(path).row_group(0).column(1)
    assert (column.compression, column.has_dictionary_page, rows_of(path)) == ("ZSTD", True, 10)


def test_a_text_is_written_only_where_it_changes(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("C-1••••7 is here", encoding="utf-8")
    before = path.stat().st_ino
    assert rewrite_text(path, lambda text: text) is False
    assert path.stat().st_ino == before
    assert rewrite_text(path, lambda text: text.replace("C-1••••7", "erased")) is True
    assert path.read_text(encoding="utf-8") == "erased is here"


cells = st.text(st.sampled_from("ab\",\n\r' 1;"), max_size=6)


@given(st.lists(st.tuples(cells, cells, st.sampled_from(["a.csv", 'b",".csv', "7"]), st.integers(1, 3)), max_size=6))
def test_records_are_cut_by_their_origin_and_others_keep_every_byte(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("cut") / "rejected.csv"
    names = ["name", "_reason", "_file", "_line"]
    table = pa.table([pa.array([str(row[at]) for row in rows], pa.string()) for at in range(4)], names=names)
    theirs = {("a.csv", 2), ('b",".csv', 1)}
    kept = [row[2:] not in theirs for row in rows]
    pa.csv.write_csv(table.filter(pa.array(kept, pa.bool_())), path)
    wanted = path.read_bytes()
    pa.csv.write_csv(table, path)
    assert cut_records(path, lambda file, line: (file, line) in theirs) == len(rows) - sum(kept)
    assert path.read_bytes() == wanted


def test_lines_are_cut_when_known_or_asked_for(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"one\ntwo\r\nthree\nno end")
    assert cut_lines(path, [b"two\r\n"], lambda lines: [line.startswith(b"no") for line in lines]) == 2
    assert path.read_bytes() == b"one\nthree\n"


def test_nothing_half_written_is_left(tmp_path):
    for name in ("rows/00000.arrow.part", "spill/duckdb.tmp", "rows/00000.arrow"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    clear_leftovers(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["00000.arrow"]


def test_some_cells_of_a_record_are_emptied_and_all_else_keeps_its_bytes(tmp_path):
    path = tmp_path / "rejected.csv"
    other = b'"C-1","a ""b"", c","x","customers.csv","3"\r\n'
    path.write_bytes(b"no,head,name,_file,_line\r\n" + other + b'"C-2","H-1, ""H""",Kid,"customers.csv","4"\r\n')
    assert blank_cells(path, lambda file, line: line == 4, {1}) == 1
    assert path.read_bytes() == b"no,head,name,_file,_line\r\n" + other + b'"C-2","",Kid,"customers.csv","4"\r\n'
