"""A table's files: found, told apart, refused with a way out, and known to be the ones that were opened."""

import gzip
import hashlib
import os
import random
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.files import Local, open_files, open_table
from connectors.lines import Limits
from schemas.errors import SourceError
from schemas.rows import SourceFile
from schemas.tables import Table

SMALL = Limits(block_bytes=64)


def rows_of(reading):
    return [
        (batch.file, line, *values)
        for batch in reading.batches()
        for line, *values in zip(batch.lines.to_pylist(), *(c.to_pylist() for c in batch.rows.columns), strict=True)
    ]


@pytest.fixture
def source(tmp_path):
    """A function that writes files and opens a table over them."""

    def opening(files, *, written=None, limits=SMALL, **table):
        for name, content in (written or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        return open_table(Table(files=files, **table), tmp_path, "source.customers", limits)

    return opening


def test_files_of_a_glob_are_read_sorted_by_name(source):
    contents = {"in/c_2.csv": b"a,b\n3,4\n", "in/c_10.csv": b"a,b\n1,2\n", "in/other.csv": b"x\n1\n"}
    reading = source("in/c_*.csv", written=contents)
    assert [file.path.name for file in reading.files] == ["c_10.csv", "c_2.csv"]
    assert rows_of(reading) == [(0, 2, "1", "2"), (1, 2, "3", "4")]
    assert rows_of(reading) == rows_of(reading)  # a reading can be read again


def test_a_file_is_known_by_its_bytes_on_disk(source):
    packed = gzip.compress(b"a,b\n1,2\n", mtime=0)
    (file,) = source("t.csv.gz", written={"t.csv.gz": packed}).files
    assert (file.size_bytes, file.sha256) == (len(packed), hashlib.sha256(packed).hexdigest())


def test_columns_in_another_order_are_aligned_by_name(source):
    reading = source("*.csv", written={"1.csv": b"a,b\n1,2\n", "2.csv": b"b,a\n4,3\n5\n"})
    assert reading.columns == ("a", "b")
    assert rows_of(reading) == [(0, 2, "1", "2"), (1, 2, "3", "4")]
    assert [(each.file, each.raw) for batch in reading.batches() for each in batch.unreadable] == [(1, b"5\n")]


def test_files_of_other_columns_are_refused_all_at_once(source):
    contents = {"1.csv": b"a,b\n1,2\n", "2.csv": b"a,c\n1,2\n", "3.csv": b"a,b,d\n1,2,3\n"}
    with pytest.raises(SourceError) as refusal:
        source("*.csv", written=contents)
    second, third = refusal.value.problems
    assert "2.csv: lacks b and adds c, compared with 1.csv" in second
    assert "3.csv: adds d, compared with 1.csv" in third


def parquet(**columns):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content", "table"),
    [
        ("t.csv", b"a,b\n1,2\n", {}),
        ("t.CSV", b"a;b\n1;2\n", {}),
        ("t.txt", b"a|b\n1|2\n", {}),
        ("t.dat", b"a\tb\n1\t2\n", {}),
        ("t.tsv", b"a\tb\n1\t2\n", {}),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), {}),
        ("t.export", b"a,b\n1,2\n", {"format": "csv"}),
        ("t.csv", b"a\tb\n1\t2\n", {"format": "tsv"}),
        ("t.tsv", b"a:b\n1:2\n", {"csv": {"delimiter": ":"}}),
        ("t[1].csv", b"a,b\n1,2\n", {}),
        ("t.parquet", parquet(a=[1], b=["2"]), {}),
    ],
)
def test_the_suffix_or_the_job_says_the_format(source, name, content, table):
    reading = source(name, written={name: content}, **table)
    assert (reading.columns, [row[2:] for row in rows_of(reading)]) == (("a", "b"), [("1", "2")])


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson"])
def test_json_lines_are_read_by_their_suffix(source, name):
    assert rows_of(source(name, written={name: b'{"a":1.10,"b":null}\n'})) == [(0, 1, "1.10", None)]


@pytest.mark.parametrize(("archive", "member"), [("t.csv.zip", "whatever"), ("t.zip", "t.csv"), ("t.zip", "../t.csv")])
def test_a_zip_holds_one_table_of_its_members_format(source, tmp_path, archive, member):
    with zipfile.ZipFile(tmp_path / archive, "w") as packed:
        packed.writestr(member, b"a,b\n1,2\n")
    assert rows_of(source(archive)) == [(0, 2, "1", "2")]


def test_tables_in_an_archive_are_files_of_their_own(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as packed:
        for member, content in {"b.tsv": b"b\ta\n4\t3\n", "in/a.csv": b"a,b\n5,6\n7\n", ".DS_Store": b"x"}.items():
            packed.writestr(member, content)
    reading = source("t.zip")
    assert [file.path.relative_to(tmp_path).as_posix() for file in reading.files] == ["t.zip/b.tsv", "t.zip/in/a.csv"]
    assert {file.sha256 for file in reading.files} == {hashlib.sha256((tmp_path / "t.zip").read_bytes()).hexdigest()}
    assert rows_of(reading) == [(0, 2, "4", "3"), (1, 2, "6", "5")]
    assert [(each.file, each.line) for batch in reading.batches() for each in batch.unreadable] == [(1, 3)]


def test_tables_of_other_columns_in_an_archive_are_named(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as packed:
        packed.writestr("a.csv", b"a,b\n1,2\n")
        packed.writestr("readme.txt", b"Dear all\n")
    with pytest.raises(SourceError, match=r"t\.zip/readme\.txt: lacks a, b and adds Dear all, compared with a\.csv"):
        source("t.zip")


@pytest.mark.parametrize(("member", "said"), [("t.parquet", "Parquet"), ("t.xlsx", "a workbook")])
def test_what_needs_a_file_of_its_own_is_to_be_unpacked(source, tmp_path, member, said):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as packed:
        packed.writestr(member, b"content")
    with pytest.raises(SourceError, match=f"{said} is packed already; unpack the zip around it"):
        source("t.zip")


def test_what_was_found_out_is_told_by_file(source):
    names = "佐藤太郎,鈴木花子,高橋健一,田中美咲,渡辺直子,伊藤翔,山本さくら,中村悠斗,小林陽菜,加藤蓮"
    text = "名前\n" + names.replace(",", "\n")
    reading = source("*.csv", written={"1.csv": text.encode(), "2.csv": text.encode("cp932")})
    (note,) = reading.notes
    assert note.startswith("2.csv: read as cp932, found out by its bytes (confidence ")
    assert [row[2] for row in rows_of(reading)] == names.split(",") * 2


def landed(tmp_path, told, content):
    """A copy under a name of our own, of what people know as `told`."""
    copy = tmp_path / "landed-1"
    copy.write_bytes(content)
    return Local(copy, SourceFile(tmp_path / told, 7, "digest of the original", "sftp://host/in/" + told))


@pytest.mark.parametrize(
    ("told", "content"),
    [
        ("t.csv", b"a,b\n1,2\n"),
        ("t.tsv.pgp", b"a\tb\n1\t2\n"),
        ("t.csv.gz.gpg", gzip.compress(b"a,b\n1,2\n", mtime=0)),
        ("t.csv.asc", b"a,b\n1,2\n"),
        ("t.parquet", parquet(a=[1], b=["2"])),
    ],
)
def test_a_copy_is_read_as_the_file_that_people_know(tmp_path, told, content):
    copy = landed(tmp_path, told, content)
    reading = open_files([copy], Table(files="t.*"), "source.customers")
    assert reading.files == (copy.source,)
    assert [row[2:] for row in rows_of(reading)] == [("1", "2")]


def test_a_message_about_a_copy_tells_the_name_that_people_know(tmp_path):
    with pytest.raises(SourceError) as refusal:
        open_files([landed(tmp_path, "t.csv", b"")], Table(files="t.csv"), "source.customers")
    assert str(refusal.value).startswith(f"source.customers: {tmp_path / 't.csv'}: the file is empty")


def in_place(path, content):
    path.write_bytes(content)
    return Local(path, SourceFile(path, len(content), hashlib.sha256(content).hexdigest()))


def test_files_are_read_in_the_order_given(tmp_path):
    files = [in_place(tmp_path / f"{name}.csv", f"a\n{name}\n".encode()) for name in ("new", "mid", "old")]
    reading = open_files(files, Table(files="*.csv"), "source.customers")
    assert rows_of(reading) == [(0, 2, "new"), (1, 2, "mid"), (2, 2, "old")]


def test_a_file_that_grew_since_it_was_found_is_refused(tmp_path):
    file = in_place(tmp_path / "t.csv", b"a\n1\n")
    with file.path.open("ab") as more:
        more.write(b"2\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        open_files([file], Table(files="t.csv"), "source.customers")


@pytest.mark.parametrize("told", ["t.csv", "t.csv.gz", "t.zip", "t.xlsx", "t.jsonl", "t.parquet", "t.txt"])
def test_a_copy_that_is_gone_is_told(tmp_path, told):
    copy = landed(tmp_path, told, b"a\n1\n")
    copy.path.unlink()
    with pytest.raises(SourceError, match=r"cannot be read \(No such file"):
        open_files([copy], Table(files=told), "source.customers")


@pytest.mark.parametrize("content", [b"-----BEGIN PGP MESSAGE-----\n", b"\x84\x5e\x03\x12", b"\x85\x01\x0c\x03\x55"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.pgp"])
def test_what_is_still_encrypted_is_refused(source, name, content):
    with pytest.raises(SourceError, match=r"PGP-encrypted; say decrypt: \{pgp_key: …\}"):
        source(name, written={name: content})


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("custmers.csv", "custmers.csv does not exist; did you mean customers.csv"),
        ("nowhere/customers.csv", "there is no folder"),
        ("*.tsv", "no file matches"),
        ("folder", "is a folder; name its files, for example"),
        ("pipe.csv", "is no regular file"),
        ("customers.docx", "the suffix .docx says no format; set format:"),
        ("book.xlsx", "the zip data is cut off or damaged"),
        ("empty.csv", "the file is empty"),
    ],
)
def test_what_cannot_be_opened_says_what_to_do(source, tmp_path, files, said):
    os.mkfifo(tmp_path / "pipe.csv")
    contents = {
        "customers.csv": b"a\n",
        "folder/x.csv": b"a\n",
        "customers.docx": b"a",
        "book.xlsx": b"PK",
        "empty.csv": b"",
    }
    with pytest.raises(SourceError) as refusal:
        source(files, written=contents)
    assert said in str(refusal.value)
    assert str(refusal.value).startswith("source.customers: ")


def read_while(reading, change):
    """Take the first batch, let `change` happen, read on."""
    batches = reading.batches()
    next(batches)
    change()
    return list(batches)


@pytest.mark.parametrize(
    "change", [b"a,b\n9,9\n" * 20 + b"7,7\n", b"a,b\n" + b"9,2\n" * 99 + b"1,3\n"], ids=["size", "bytes"]
)
def test_a_file_that_changes_while_it_is_read_is_refused(source, tmp_path, change):
    reading = source("t.csv", written={"t.csv": b"a,b\n" + b"1,2\n" * 100})
    path = tmp_path / "t.csv"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)

    def rewrite():
        path.write_bytes(change)
        os.utime(path, ns=times)  # as a careful attacker or a careless copy would

    with pytest.raises(SourceError, match="changed while it was read"):
        read_while(reading, rewrite)
    with pytest.raises(SourceError, match="changed while it was read"):
        rows_of(reading)


def test_damage_that_comes_from_a_change_is_told_as_change(source, tmp_path):
    noise = random.Random(1)
    rows = b"".join(b"%d,%d\n" % (noise.random() * 1e15, i) for i in range(200_000))
    packed = gzip.compress(b"a,b\n" + rows, compresslevel=1)
    reading = source("t.csv.gz", written={"t.csv.gz": packed}, limits=Limits())
    with pytest.raises(SourceError, match="changed while it was read"):
        read_while(reading, lambda: (tmp_path / "t.csv.gz").write_bytes(packed[: len(packed) // 2]))


def test_reading_stops_where_a_growing_file_ended(source, tmp_path):
    reading = source("t.csv", written={"t.csv": b"a,b\n" + b"1,2\n" * 100})
    batches = reading.batches()
    rows = next(batches).rows.num_rows
    with (tmp_path / "t.csv").open("ab") as file:
        file.write(b"3,4\n" * 1000)
    with pytest.raises(SourceError, match="changed while it was read"):
        for batch in batches:
            rows += batch.rows.num_rows
    assert rows <= 101


def test_a_file_that_vanishes_is_told(source, tmp_path):
    reading = source("t.csv", written={"t.csv": b"a,b\n" + b"1,2\n" * 100})
    with pytest.raises(SourceError, match="cannot be read"):
        read_while(reading, (tmp_path / "t.csv").unlink)


def test_a_file_that_was_only_touched_is_the_same(source, tmp_path):
    reading = source("t.csv", written={"t.csv": b"a,b\n" + b"1,2\n" * 100})
    assert read_while(reading, (tmp_path / "t.csv").touch)


def test_no_message_carries_a_value(source):
    with pytest.raises(SourceError) as refusal:
        source("t.csv", written={"t.csv": b'name,mail\n1,"ann@x.example\n' * 80, "u.csv": b""}).batches().__next__()
    assert "ann" not in str(refusal.value)
