"""Files of fixed width: characters cut at their places, whatever the encoding, and lines that are no row kept."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.files import open_table
from connectors.fixed import open_fixed
from connectors.lines import Limits
from connectors.unpack import PackedFile
from schemas.errors import SourceError
from schemas.tables import Csv, Table

COLUMNS = {"no": "1-4", "name": "5-10", "points": "12-14"}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function that reads bytes as a file of fixed width: (line, values) and (line, code, raw)."""
    path = tmp_path_factory.mktemp("fixed") / "t.txt"

    def reading(content, at=COLUMNS, *, block_bytes=1 << 20, **written):
        path.write_bytes(content)
        opened = open_fixed(PackedFile(path, "customers"), at, Csv(**written), Limits(block_bytes=block_bytes))
        rows, unreadable = [], []
        for batch in opened.batches(0):
            batch.rows.validate(full=True)
            assert batch.rows.schema.names == list(at)
            values = [column.to_pylist() for column in batch.rows.columns]
            rows += zip(batch.lines.to_pylist(), *values, strict=True)
            unreadable += [(each.line, each.code, each.raw) for each in batch.unreadable]
        return rows, unreadable

    return reading


def test_characters_are_cut_at_their_places_and_padding_goes(read):
    content = b"0001Ann   |  7\n 002 B b   12 \n"
    assert read(content) == ([(1, "0001", "Ann", "7"), (2, "002", "B b", "12")], [])


def test_columns_come_in_the_order_of_the_job(read):
    columns = {"points": "12-14", "no": "1-4"}
    assert read(b"0001Ann   |  7\n", columns)[0] == [(1, "7", "0001")]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("Zoë", "utf-8"),
        ("Zoë", "cp1252"),
        ("王伟明", "gb18030"),
        ("王伟明", "utf-16"),
        ("佐藤 太郎", "cp932"),
        ("😀é", "utf-8"),
    ],
)
def test_a_place_counts_characters_and_not_bytes(read, name, codec):
    content = f"0001{name:<6}|  7\r\n0002{name:>6}|123\r\n".encode(codec)
    encoding = None if codec.startswith("utf") else codec
    assert read(content, encoding=encoding) == ([(1, "0001", name, "7"), (2, "0002", name, "123")], [])


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b"0001Ann   |  7", ("0001", "Ann", "7")),
        (b"0001Ann   |7", ("0001", "Ann", "7")),  # blanks at its end were cut off
        (b"0001Ann   | ", ("0001", "Ann", "")),
        (b"0001Ann   |  7      ", ("0001", "Ann", "7")),
        (b"          |  7", ("", "", "7")),
        (b"0001Ann   |", "line.too_few_columns"),
        (b"0001", "line.too_few_columns"),
        (b"TRAILER 2", "line.too_few_columns"),
        (b"0001Ann   |  78", "line.too_many_columns"),
        (b"0001Ann   |  7  x", "line.too_many_columns"),
        (b"0001\xff\xff\xff   |  7", "line.wrong_encoding"),
        (b"", None),
        (b"     ", None),
        (b"                          ", None),
    ],
)
def test_a_line_is_a_row_or_kept_or_blank(read, line, values):
    content = b"0000Zoe   |  1\n" + line + b"\n0002Bob   |  2\n"
    rows, unreadable = read(content)
    assert [row for row in rows if row[0] != 2] == [(1, "0000", "Zoe", "1"), (3, "0002", "Bob", "2")]
    assert [row[1:] for row in rows if row[0] == 2] == ([values] if isinstance(values, tuple) else [])
    assert unreadable == ([(2, values, line + b"\n")] if isinstance(values, str) else [])


def test_skipped_lines_and_a_mark_are_no_rows(read):
    content = b"\xef\xbb\xbfHEADER 2024\n\n0001Ann   |  7\n"
    assert read(content, skip_rows=1) == ([(3, "0001", "Ann", "7")], [])


def test_lines_longer_than_a_block_are_put_together(read):
    content = b"".join(b"%04dAnn   |%3d\r\n" % (n, n % 1000) for n in range(50))
    assert read(content, block_bytes=5) == read(content)


letters = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r\n\0"), max_size=6)


@given(rows=st.lists(st.tuples(letters, letters, letters), max_size=8), end=st.sampled_from(["\n", "\r\n", "\r"]))
@example(rows=[("a", "", ""), ("", "", "b")], end="\n")
@example(rows=[("À\x06", "", "")], end="\n")  # begins like a PGP packet
@settings(deadline=None)
def test_what_was_written_at_its_places_comes_back(read, rows, end):
    """Against Python's own slices; what only looks blank to Unicode is no padding."""
    lines = ["".join(f"{value:<6}" for value in row) for row in rows]
    content = "".join(line + end for line in lines).encode()
    expected = [
        (number, *(value.strip(" ") for value in row))
        for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1)
        if line.strip(" ")
    ]
    if content:
        found = read(content, {"a": "1-6", "b": "7-12", "c": "13-18"}, block_bytes=64, encoding="utf-8")
        assert found == (expected, [])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": "5-2"}, "fixed.a 5-2 ends before it begins"),
        ({"a": "1-5", "b": "5-9"}, "fixed.a 1-5 and fixed.b 5-9 overlap; a character belongs to one column"),
        ({"b": "3-9", "a": "1-12"}, "fixed.a 1-12 and fixed.b 3-9 overlap"),
        ({" ": "1-2"}, "fixed has no name for column 1"),
        ({}, "fixed names no columns"),
    ],
)
def test_columns_that_cannot_be_are_told(read, columns, said):
    with pytest.raises(SourceError) as refusal:
        read(b"0001\n", columns)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "written", "said"),
    [
        (b"", {}, "the file is empty"),
        (b"%PDF-1.7\n", {}, "it looks like a PDF document"),
        (b"0001Zo\xeb   |  7\n" * 3, {}, "the text is not utf-8; set csv.encoding"),
        (b"0001Ann   |  7\n", {"columns": ["a"], "delimiter": ";"}, "csv.columns goes not with format: fixed"),
    ],
)
def test_a_file_that_cannot_be_of_fixed_width_is_refused(read, content, written, said):
    with pytest.raises(SourceError) as refusal:
        read(content, **written)
    assert said in str(refusal.value)


NAMES = ["Ann", "伊", "山田", "高橋"]


def padded(names, codec, *, by_bytes):
    """Lines of the columns' widths, counted in bytes or in characters."""
    lines = []
    for name in names:
        size = len(name.encode(codec)) if by_bytes else len(name)
        lines.append(f"0001{name}{' ' * (6 - size)}|  7\n".encode(codec))
    return b"".join(lines)


@pytest.mark.parametrize("codec", ["cp932", "gb18030", "euc_jp", "utf-8"])
@pytest.mark.parametrize("names", [NAMES, ["Ann"] * 99 + ["山田"], ["山田"] * 3], ids=["mixed", "one", "alike"])
def test_columns_that_are_padded_to_bytes_are_refused(read, names, codec):
    with pytest.raises(SourceError, match=r"its columns are padded to bytes \(lines have 14 bytes"):
        read(padded(names, codec, by_bytes=True), encoding=codec)
    rows, unreadable = read(padded(names, codec, by_bytes=False), encoding=codec)
    assert [name for _, _, name, _ in rows] == names
    assert not unreadable


def test_columns_that_are_padded_to_bytes_behind_the_first_block_are_refused(read):
    content = padded(["Ann"] * 50 + ["山田"], "cp932", by_bytes=True)
    with pytest.raises(SourceError, match="its columns are padded to bytes"):
        read(content, block_bytes=200, encoding="cp932")


def test_a_job_says_that_a_file_is_of_fixed_width(tmp_path):
    (tmp_path / "t.txt").write_bytes(b"0001Ann   |  7\n")
    reading = open_table(Table(files="t.txt", format="fixed", fixed=COLUMNS), tmp_path, "source.customers")
    assert reading.columns == ("no", "name", "points")
    assert [batch.rows.to_pylist() for batch in reading.batches()] == [[{"no": "0001", "name": "Ann", "points": "7"}]]
