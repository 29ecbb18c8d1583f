"""Zip archives: each table in them is told apart, and nothing in them can hurt."""

import io
import struct
import warnings
import zipfile

import pytest

from connectors.archive import MAX_MEMBERS, tables_in
from schemas.errors import SourceError


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w", method) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()


@pytest.fixture
def look_into(tmp_path):
    """A function that looks into bytes as into an archive."""

    def looking(content, **how):
        path = tmp_path / "t.zip"
        path.write_bytes(content)
        return [each.told for each in tables_in(path, "customers", **how)]

    return looking


def test_tables_are_told_by_name_and_litter_is_passed_over(look_into):
    litter = [(f"in/{name}", b"x") for name in (".DS_Store", "Thumbs.db", "desktop.ini")]
    content = zipped(("b.csv", b"1"), ("in/", b""), ("in/a.tsv", b"2"), ("__MACOSX/in/._a.tsv", b"x"), *litter)
    assert look_into(content) == ["b.csv", "in/a.tsv"]


def test_names_that_step_out_of_the_archive_are_told_without_their_steps(look_into):
    content = zipped(("../../etc/a.csv", b"1"), ("/b.csv", b"2"), ("c\x1b[2J.csv", b"3"), ("..\\d.csv", b"4"))
    assert look_into(content) == ["b.csv", "c?[2J.csv", "d.csv", "etc/a.csv"]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "the zip archive is empty; pack one table into it"),
        ([("a.csv", b""), ("README.md", b""), ("x.exe", b"")], "holds README.md, x.exe, whose suffix says no format"),
        ([("a.csv", b""), ("inner.zip", b"")], "holds inner.zip, packed again; pack the tables themselves"),
        ([("a.csv.gz", b"")], "holds a.csv.gz, packed again"),
        ([("a.csv", b""), ("a.csv", b"")], "holds a.csv more than once"),
        ([("a.csv", b""), ("../a.csv", b"")], "holds a.csv more than once"),
        ([(f"{n}.csv", b"") for n in range(MAX_MEMBERS + 1)], "holds 1,001 files; 1,000 are read at most"),
    ],
    ids=["empty", "no tables", "nested", "packed", "twice", "twice by steps", "many"],
)
def test_an_archive_that_is_more_than_tables_is_refused(look_into, members, said):
    with pytest.raises(SourceError) as refusal:
        look_into(zipped(*members))
    assert said in str(refusal.value)


def test_a_format_in_the_job_stands_for_any_name(look_into):
    assert look_into(zipped(("export", b"1")), any_name=True) == ["export"]


def test_a_password_is_refused(look_into):
    content = bytearray(zipped(("t.csv", b"a,b")))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    with pytest.raises(SourceError, match="protected by a password"):
        look_into(bytes(content))


def test_many_small_bombs_are_counted_together(look_into):
    content = zipped(*((f"{n}.csv", bytes(1_000_000)) for n in range(20)))
    assert len(content) < 25_000
    with pytest.raises(SourceError, match="unpacks to more than 1"):
        look_into(content, spare_bytes=1_000_000)


def test_members_that_share_their_bytes_are_refused(look_into):
    """As in the bombs whose every member is the same kernel (https://www.bamsoftware.com/hacks/zipbomb/)."""
    content = bytearray(zipped(("a.csv", b"1,2\n" * 9), ("b.csv", b"1,2\n" * 9), method=zipfile.ZIP_STORED))
    second = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    content[second + 42 : second + 46] = struct.pack("<I", 0)  # where b.csv is said to begin
    with pytest.raises(SourceError, match="the zip data is cut off or damaged"):
        look_into(bytes(content))


def test_two_archives_in_one_file_are_refused(look_into):
    """Only the last one's tables would be seen."""
    one, other = zipped(("a.csv", b"1\n")), zipped(("b.csv", b"2\n"))
    with pytest.raises(SourceError, match="before the zip archive's first file lies something else"):
        look_into(one + other)
    assert look_into(b"PK00" + one) == ["a.csv"]
