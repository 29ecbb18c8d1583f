"""Result files are gathered slice by slice."""

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.result_files import ResultFiles, results_in_slices


def rows(*lines):
    return pa.table(
        {"line": pa.array(lines, pa.int64()), "message": pa.array(['He said "no", twice'] * len(lines), pa.string())}
    )


def test_lines_are_added_below_one_header(tmp_path):
    files = ResultFiles(tmp_path / "results")
    files.write(0, rows(2), header=True)
    files.write(0, rows(3), header=False)
    files.write(1, rows(), header=True)
    assert files.path(0).read_text().splitlines() == [
        "line,message",
        '2,"He said ""no"", twice"',
        '3,"He said ""no"", twice"',
    ]
    assert files.path(1).read_text() == "line,message\n"


def test_only_its_owner_reads_them(tmp_path):
    files = ResultFiles(tmp_path / "results")
    files.write(0, rows(2), header=True)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "results", files.path(0))] == [0o700, 0o600]


def test_results_are_read_part_by_part(tmp_path):
    with pq.ParquetWriter(tmp_path / "results.parquet", rows().schema) as writer:
        writer.write_table(rows(2, 3))
        writer.write_table(rows(4))
    slices = results_in_slices(tmp_path, ["line"])
    assert [part.column("line").to_pylist() for part in slices] == [[2, 3], [4]]
