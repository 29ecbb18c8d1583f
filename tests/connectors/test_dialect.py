"""What a delimited file is like is seen from its beginning, or the file is refused at once."""

import pytest

from connectors.dialect import look
from connectors.lines import Limits
from connectors.unpack import PackedFile
from schemas.errors import SourceError
from schemas.tables import Csv


@pytest.fixture
def look_at(tmp_path):
    """A function that looks at bytes as at a delimited file."""

    def looking(content, *, delimiter=None, **written):
        path = tmp_path / "table.csv"
        path.write_bytes(content)
        return look(PackedFile(path, "customers"), Csv(**written), delimiter, Limits())

    return looking


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "\x1f"])
def test_the_delimiter_is_found_from_the_rows(look_at, delimiter):
    content = f"name{delimiter}amount\nAnn{delimiter}1\nBob{delimiter}2\n"
    dialect = look_at(content.encode())
    assert (dialect.delimiter, dialect.columns) == (delimiter, ("name", "amount"))


def test_decimal_commas_do_not_pass_for_delimiters(look_at):
    assert look_at(b"name;amount\nAnn;1,5\nBob;2,5\n").delimiter == ";"


def test_a_delimiter_inside_quotes_does_not_count(look_at):
    assert look_at(b'name;note\nAnn;"a,b,c"\nBob;"d,e,f"\n').delimiter == ";"


def test_a_single_column_needs_no_delimiter(look_at):
    assert look_at(b"mobile\n0170\n0171\n").columns == ("mobile",)


@pytest.mark.parametrize(
    ("content", "written", "said"),
    [
        (b"", {}, "the file is empty"),
        (b"\xef\xbb\xbf", {}, "no header line"),
        (b"\n\n", {}, "no header line"),
        (b"a,b\n", {"skip_rows": 5}, "no header line"),
        (b"a,,b, \n1,2,3,4\n", {}, "no name for column 2, 4"),
        (b"a,b,a,b\n", {}, "has a, b more than once"),
        (b"1,2\n", {"columns": ["a", "a"]}, "csv.columns has a more than once"),
        (b"a,b\n1,2\n", {"columns": ["a", "b"]}, "the first line holds the names"),
        (b"a,b\n1,2,\n", {"delimiter": "\n"}, "csv.delimiter must be one ASCII character"),
        (b"a,b\n", {"delimiter": '"'}, "csv.delimiter and csv.quote are the same"),
        (b"a,b\n", {"encoding": "utf8x"}, "csv.encoding utf8x is unknown; did you mean"),
        (b"a,b\n", {"encoding": "cp037"}, "csv.encoding cp037 cannot be read here"),
        (b"a,\xe9\n1,2\n3,4\n", {}, "header line: the text is not utf-8; set csv.encoding (one of these fits: cp1252"),
        (b"a,b\n1,\xe9\n2,\xe8\n3,\xfc\n", {}, "the text is not utf-8; set csv.encoding (one of these fits: cp1252"),
        ("a,b\n1,2\n".encode("utf-16-le"), {"encoding": "utf-8"}, "set csv.encoding: utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), {"encoding": "utf-8"}, "set csv.encoding: utf-16-be"),
        (b"a,b\n\x00\x01\x02,\xff", {}, "it looks like a binary file"),
        (b"PK\x03\x04....xl/workbook.xml", {}, "it looks like an Excel workbook"),
        (b"PK\x03\x04....customers.csv", {}, "it looks like a zip archive"),
        (b"PAR1abc", {}, "it looks like a Parquet file; set format: parquet"),
        (b"\x1f\x8b\x08", {}, "it looks like gzip"),
        (b"%PDF-1.7", {}, "it looks like a PDF"),
        (b"\x89PNG\r\n", {}, "it looks like a PNG"),
    ],
)
def test_a_file_that_cannot_be_a_table_is_refused_at_once(look_at, content, written, said):
    with pytest.raises(SourceError) as refusal:
        look_at(content, **{"delimiter": None} | written)
    assert said in str(refusal.value)
    assert "customers" in str(refusal.value)
