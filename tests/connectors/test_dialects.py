"""How a file of text is written, found out for a job that will say it."""

import gzip

import pytest

from connectors.dialects import dialect_of, is_known
from schemas.tables import Table


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"id;name\n1;x\n", (";", "utf-8")),
        ("a.csv", b"\xef\xbb\xbfid,name\n1,x\n", (",", "utf-8")),
        ("a.tsv", b"id\tna,me\n1\tx,\n", ("\t", "utf-8")),
        ("a.txt.gz", gzip.compress(b"id|name\n1|x\n"), ("|", "utf-8")),
        ("a.csv", "id,name\n1,x\n".encode("utf-16"), (",", "utf-16-le")),
    ],
)
def test_a_dialect_is_found(tmp_path, name, content, found):
    file = tmp_path / name
    file.write_bytes(content)
    dialect = dialect_of(file, file, Table(files=name), "source.x")
    assert (dialect.delimiter, dialect.codec) == found


def test_the_told_name_says_how_a_copy_is_packed(tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(gzip.compress(b"id|name\n1|x\n"))
    assert dialect_of(copy, tmp_path / "a.csv.gz", Table(files="a.csv.gz"), "source.x").delimiter == "|"


@pytest.mark.parametrize("name", ["a.parquet", "a.jsonl", "a.jsonl.gz", "a.zip", "a.export"])
def test_other_formats_and_archives_have_none(tmp_path, name):
    assert dialect_of(tmp_path / name, tmp_path / name, Table(files=name), "source.x") is None


@pytest.mark.parametrize(
    ("name", "known"), [("a.csv", True), ("a.CSV.gz", True), ("a.zip", True), ("a.export", False), ("a", False)]
)
def test_a_name_says_the_format_or_does_not(name, known):
    assert is_known(name) == known
