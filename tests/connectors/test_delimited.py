"""Delimited files: rows, physical lines and refused bytes are exact, whatever the file is like."""

import csv
import io
import random
import tracemalloc

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.delimited import open_delimited
from connectors.lines import Limits
from connectors.unpack import PackedFile
from schemas.errors import SourceError
from schemas.tables import Csv

TOKENS = [
    "a",
    "b",
    "é",
    "日本",
    " ",
    "1",
    '"',
    '"',
    '""',
    ",",
    ",",
    ",",
    "\n",
    "\n",
    "\r\n",
    "\r",
    '"x"',
    '"x,\ny"',
    '"\r\n"',
]
BAD_BYTE = b"\xff".decode(errors="surrogateescape")


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function that reads bytes as a delimited file: columns, (line, values) and (line, code, raw)."""

    path = tmp_path_factory.mktemp("delimited") / "table.csv"

    def reading(content, *, block_bytes=1 << 20, delimiter=None, row_bytes=16 << 20, **written):
        path.write_bytes(content)
        opened = open_delimited(
            PackedFile(path, "customers"),
            Csv(**written),
            delimiter,
            Limits(block_bytes=block_bytes, row_bytes=row_bytes),
        )
        rows, unreadable = [], []
        for batch in opened.batches(0):
            batch.rows.validate(full=True)
            values = [column.to_pylist() for column in batch.rows.columns]
            rows += zip(batch.lines.to_pylist(), map(list, zip(*values, strict=True)), strict=True)
            unreadable += [(each.line, each.code, each.raw) for each in batch.unreadable]
        return list(opened.columns), rows, unreadable

    return reading


def as_csv_module_reads(text, width):
    """What Python's csv module makes of the lines after the header: the same three things."""
    physical = io.StringIO(text, newline="").readlines()
    reader, before, records = csv.reader(iter(physical)), 0, []
    for values in reader:
        raw = "".join(physical[before : reader.line_num]).encode(errors="surrogateescape")
        records.append((before + 2, values, raw))
        before = reader.line_num
    assert b"".join(raw for _, _, raw in records) == text.encode(
        errors="surrogateescape"
    )  # every byte belongs to one record
    told = [record for record in records if record[1]]
    if told and all(len(values) == width + 1 and not values[-1] for _, values, _ in told):
        told = [(line, values[:-1], raw) for line, values, raw in told]
    rows, refused = [], []
    for line, values, raw in told:
        if BAD_BYTE.encode(errors="surrogateescape") in raw:
            refused.append((line, "line.wrong_encoding", raw))
        elif len(values) != width:
            refused.append((line, f"line.too_{'few' if len(values) < width else 'many'}_columns", raw))
        else:
            rows.append((line, values))
    return rows, refused


def is_strictly_quoted(text):
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return False
    return True


def check_against_csv_module(read, text, width, block_bytes):
    names = [f"c{number}" for number in range(width)]
    content = (",".join(names) + "\n" + text).encode(errors="surrogateescape")
    try:
        _, rows, unreadable = read(content, block_bytes=block_bytes, delimiter=",")
    except SourceError as refusal:
        assert not is_strictly_quoted(text) or ("not utf-8" in str(refusal) and BAD_BYTE in text)
        return
    assert (rows, unreadable) == as_csv_module_reads(text, width)


@settings(max_examples=150, deadline=None)
@given(
    text=st.lists(st.sampled_from(TOKENS), max_size=40).map("".join),
    width=st.integers(1, 4),
    block_bytes=st.sampled_from([1, 16, 64, 1 << 20]),
)
@example(text='1,"a\r\nb"\r\n', width=2, block_bytes=6)
@example(text='1,"\n"x\n2,"b"\n', width=2, block_bytes=64)
@example(text="\n\r\r\n1\n", width=1, block_bytes=1)
def test_reads_what_pythons_csv_module_reads(read, text, width, block_bytes):
    check_against_csv_module(read, text, width, block_bytes)


def test_reads_what_the_csv_module_reads_in_seeded_files(read):
    chance = random.Random(20260301)
    for _ in range(400):
        width = chance.randint(1, 4)
        tokens = chance.choice([TOKENS, [*TOKENS, BAD_BYTE]])
        text = "".join(chance.choices(tokens, k=chance.randint(0, 80)))
        check_against_csv_module(read, text, width, chance.choice([1, 16, 64, 1 << 20]))


@pytest.mark.parametrize(
    ("content", "rows", "refused"),
    [
        (b"a,b\n1,2\n3,4", [(2, ["1", "2"]), (3, ["3", "4"])], []),  # no newline at the end
        (b"a,b\r\n1,2\r\n", [(2, ["1", "2"])], []),
        (b"a,b\r1,2\r3,4\r", [(2, ["1", "2"]), (3, ["3", "4"])], []),
        (b"\xef\xbb\xbfa,b\n1,2\n", [(2, ["1", "2"])], []),
        (b"a,b\n", [], []),
        (b"a,b", [], []),
        (b"\n\na,b\n\n1,2\n\n", [(5, ["1", "2"])], []),
        (b"a,b\n,\n1,2\n", [(2, ["", ""]), (3, ["1", "2"])], []),  # a row without values is a row
        (b'a,b\n"x\r\ny",2\r\n3,4\n', [(2, ["x\r\ny", "2"]), (4, ["3", "4"])], []),
        (b"a,b\n0091,NA\n1e5,null\n", [(2, ["0091", "NA"]), (3, ["1e5", "null"])], []),
        (b"a,b\n1,2,3\r\n4\n", [], [(2, "many", b"1,2,3\r\n"), (3, "few", b"4\n")]),
        (b'a,b\n"x\ny"\n1,2\n', [(4, ["1", "2"])], [(2, "few", b'"x\ny"\n')]),
        (b"a,b\n1,\xe9\n3,4\n", [(3, ["3", "4"])], [(2, "encoding", b"1,\xe9\n")]),
        (b'a,b\n"\xff\n",x\r\n3,4\n5,6\n', [(4, ["3", "4"]), (5, ["5", "6"])], [(2, "encoding", b'"\xff\n",x\r\n')]),
        (b"a,b\n1,2,\n3,4,\n", [(2, ["1", "2"]), (3, ["3", "4"])], []),  # each row ends in a delimiter
        (b"a,b,\n1,2,\n3,4,\n", [(2, ["1", "2"]), (3, ["3", "4"])], []),  # and so does the header
        (b"a,b,\n1,2\n", [(2, ["1", "2"])], []),
        (b"a,b\n1,2,\n3,4\n", [(3, ["3", "4"])], [(2, "many", b"1,2,\n")]),  # only some do
    ],
)
def test_each_line_is_a_row_or_kept_byte_for_byte(read, content, rows, refused):
    codes = {"few": "line.too_few_columns", "many": "line.too_many_columns", "encoding": "line.wrong_encoding"}
    expected = [(line, codes[why], raw) for line, why, raw in refused]
    for block_bytes in (1, 7, 1 << 20):
        assert read(content, block_bytes=block_bytes) == (["a", "b"], rows, expected)


def test_a_late_value_behind_trailing_delimiters_is_not_lost(read):
    content = b"a,b\n" + b"1,2,\n" * 60_000 + b"3,4,5\n" + b"6,7,\n"
    _, rows, unreadable = read(content, block_bytes=1 << 16)
    assert (len(rows), rows[-1]) == (60_001, (60_003, ["6", "7"]))
    assert unreadable == [(60_002, "line.too_many_columns", b"3,4,5\n")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "iso-8859-15", "utf-8-sig"])
@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_other_encodings_give_text_and_keep_their_bytes(read, encoding, block_bytes):
    text = 'a,b\r\n"é\nü",2\r\n\r\nß\r\n3,ö'
    columns, rows, unreadable = read(text.encode(encoding), block_bytes=block_bytes, encoding=encoding)
    bare = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    assert (columns, rows) == (["a", "b"], [(2, ["é\nü", "2"]), (6, ["3", "ö"])])
    assert unreadable == [(5, "line.too_few_columns", "ß\r\n".encode(bare))]


@pytest.mark.parametrize("encoding", ["cp932", "gb18030", "big5", "euc_kr", "iso2022_jp"])
def test_multibyte_lines_are_kept_byte_for_byte(read, encoding):
    text = {"euc_kr": "한국", "big5": "許功蓋", "gb18030": "丂丄𠀀"}.get(
        encoding, "表ソ十"
    )  # trail bytes look like \\ and |
    lines = [f"{text}|{text}\n", f"{text}\n", f'"{text}\n"|x\n']
    content = b"a|b\n" + b"".join(line.encode(encoding) for line in lines)
    _, rows, unreadable = read(content, block_bytes=5, encoding=encoding, delimiter="|")
    assert rows == [(2, [text, text]), (4, [f"{text}\n", "x"])]
    assert unreadable == [(3, "line.too_few_columns", lines[1].encode(encoding))]


def test_bytes_that_an_encoding_lacks_cost_only_their_line(read):
    content = b"a,b\n1,2\n\x81\x8d,3\n4,\xe9\n"
    _, rows, unreadable = read(content, encoding="cp1252")
    assert rows == [(2, ["1", "2"]), (4, ["4", "é"])]
    assert unreadable == [(3, "line.wrong_encoding", b"\x81\x8d,3\n")]


def test_a_byte_order_mark_knows_better_than_the_job(read):
    assert read("a,b\n1,é\n".encode("utf-16"), encoding="utf-8")[1] == [(2, ["1", "é"])]


def test_without_quotes_every_quote_is_a_character(read):
    assert read(b'a,b\n"1,2\n"3",4\n', quote=None)[1] == [(2, ['"1', "2"]), (3, ['"3"', "4"])]


def test_another_quote_character_is_honoured(read):
    assert read(b"a,b\n'1,''x',2\n", quote="'")[1] == [(2, ["1,'x", "2"])]


def test_skipped_rows_and_given_columns_keep_physical_lines(read):
    content = b'Export "of today\r\nx,y,z\r\n1,2\r\n'
    assert read(content, skip_rows=2, columns=["a", "b"]) == (["a", "b"], [(3, ["1", "2"])], [])
    assert read(content, skip_rows=1, columns=None)[0] == ["x", "y", "z"]


def test_a_header_over_several_lines_is_one_name(read):
    assert read(b'"a\nof x",b\n1,2\n', block_bytes=2)[:2] == (["a\nof x", "b"], [(3, ["1", "2"])])


@pytest.mark.parametrize("block_bytes", [1, 64, 1 << 20])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('a,b\n1,2\n3,"x\n' + "4,5\n" * 10, "line 3: a quote opens here and is never closed"),
        ('a,b\n1,2\n3,"x\n' + "4,5\n" * 99, "line 3: a quote opens here and is not closed within 50 lines"),
        (
            'a,b\n3,"x\n4,"y"\n',
            "line 2: a quote opens here, and the next one stands in the middle of a value, on line 3",
        ),
        ('a,b\n5,6"\n3,"x', "line 3: a quote opens here and is never closed"),
        ('a,b\n"', "line 2: a quote opens here and is never closed"),
        ('a,b\n1,2\n3,"' + '""' * 5, "line 3: a quote opens here and is never closed"),
    ],
)
def test_a_quote_never_swallows_the_rows_behind_it(read, content, said, block_bytes):
    with pytest.raises(SourceError, match=said):
        read(content.encode(), block_bytes=block_bytes)


@pytest.mark.parametrize("start", [b"", b'"'])
def test_a_line_without_end_is_refused_with_bounded_memory(tmp_path, start):
    path = tmp_path / "endless.csv"
    path.write_bytes(b"a,b\n1,2\n" + start + b"x" * 80_000_000)
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"line 3: a row longer than 1\.0 MB"):
        list(open_delimited(PackedFile(path, "c"), Csv(), None, Limits(1 << 16, row_bytes=1_000_000)).batches(0))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 10_000_000


def test_a_message_never_holds_a_value(read):
    with pytest.raises(SourceError) as refusal:
        read(b'name,mail\n"Ann,ann@x.example\n"Bob",b@x.example\n')
    assert "Ann" not in str(refusal.value)
    assert "@" not in str(refusal.value)


def test_small_rows_come_in_bounded_batches(tmp_path):
    path = tmp_path / "small.csv"
    path.write_bytes(b"a,b\n" + b"1,2\n" * 120_000)
    opened = open_delimited(PackedFile(path, "small"), Csv(), None, Limits())
    batches = list(opened.batches(7))
    assert [batch.rows.num_rows for batch in batches] == [50_000, 50_000, 20_000]
    assert {batch.file for batch in batches} == {7}
    assert [batch.lines[0].as_py() for batch in batches] == [2, 50_002, 100_002]
