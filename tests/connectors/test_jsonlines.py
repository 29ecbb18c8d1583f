"""JSON Lines: every digit stays as written, every key is a column, every other line is kept byte for byte."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jsonlines import open_json_lines
from connectors.lines import Limits
from connectors.unpack import PackedFile
from schemas.errors import SourceError


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A function that reads bytes as JSON Lines: columns, (line, values) and (line, code, raw)."""
    path = tmp_path_factory.mktemp("jsonlines") / "table.jsonl"

    def reading(content, *, block_bytes=1 << 20, row_bytes=16 << 20):
        path.write_bytes(content)
        opened = open_json_lines(PackedFile(path, "customers"), Limits(block_bytes=block_bytes, row_bytes=row_bytes))
        rows, unreadable = [], []
        for batch in opened.batches(0):
            batch.rows.validate(full=True)
            values = [column.to_pylist() for column in batch.rows.columns]
            rows += zip(batch.lines.to_pylist(), map(list, zip(*values, strict=True)), strict=True)
            unreadable += [(each.line, each.code, each.raw) for each in batch.unreadable]
        return list(opened.columns), rows, unreadable

    return reading


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("4111111111111111999", "4111111111111111999"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("0.1300", "0.1300"),
        ("1e5", "1e5"),
        ("1E+400", "1E+400"),
        ("-0", "-0"),
        ("-0.0", "-0.0"),
        ("0", "0"),
        ('"0091"', "0091"),
        ('"2024-01-02"', "2024-01-02"),
        ('"\\u0041\\n\\"x\\""', 'A\n"x"'),
        ('"NaN"', "NaN"),
        ('""', ""),
        ("true", "true"),
        ("false", "false"),
        ("null", None),
        ('{"x": 1.50, "y": [1e5, -0, "a b"]}', '{"x":1.50,"y":[1e5,-0,"a b"]}'),
        ("[ ]", "[]"),
        ("[12345678901234567890123]", "[12345678901234567890123]"),
    ],
)
def test_a_value_keeps_every_digit_and_character(read, written, text):
    for form in ('{"a":%s}\n', '{ "a" : %s }\r\n', '{"a":%s , "b" : "-0,"}'):
        columns, rows, unreadable = read((form % written).encode())
        assert (columns[0], rows[0][1][0], unreadable) == ("a", text, [])


def test_a_key_of_the_last_line_is_a_column_too(read):
    content = b'{"a":1}\n' + b'{"b":2,"a":3}\n' * 3 + b'{"late":"x"}'
    columns, rows, _ = read(content, block_bytes=8)
    assert columns == ["a", "b", "late"]
    assert rows[0] == (1, ["1", None, None])
    assert rows[-1] == (5, [None, None, "x"])


@pytest.mark.parametrize("block_bytes", [1, 64, 1 << 20])
def test_what_is_no_object_is_kept_byte_for_byte(read, block_bytes):
    bad = [
        (b'{"a":1\r\n', "line.not_json"),
        (b'{"a":NaN}\n', "line.not_json"),
        (b'{"a":01}\n', "line.not_json"),
        (b'{"a":"\\ud800"}\n', "line.not_json"),
        (b'{"a":1}{"a":2}\n', "line.not_json"),
        (b'{"a":' + b"[" * 5000 + b"\n", "line.not_json"),
        (b'["a"]\n', "line.not_an_object"),
        (b"7\n", "line.not_an_object"),
        (b'{"a":"\xff"}\n', "line.wrong_encoding"),
        (b'{"a":1,"a":2}\n', "line.duplicate_key"),
        (b'{"a" : 1, "a" : 2}\n', "line.duplicate_key"),
        (b'{"\\u0061":1,"a":"\\":"}\n', "line.duplicate_key"),
    ]
    good = b'{"a":"fine","b":"10:30, \\": x"}\n'
    content = b"".join(good + line for line, _ in bad) + b"\n  \n" + good * 9
    _, rows, unreadable = read(content, block_bytes=block_bytes)
    assert unreadable == [(2 * i + 2, code, raw) for i, (raw, code) in enumerate(bad)]
    assert [line for line, _ in rows] == [*range(1, 25, 2), *range(27, 36)]
    assert {tuple(values) for _, values in rows} == {("fine", '10:30, ": x')}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=4,
)


def as_text(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@settings(max_examples=80, deadline=None)
@given(
    objects=st.lists(
        st.dictionaries(st.sampled_from(["a", "b:", 'c"', " d"]), VALUES, min_size=1), min_size=1, max_size=12
    ),
    separators=st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    block_bytes=st.sampled_from([1, 64, 1 << 20]),
)
def test_reads_what_pythons_json_module_wrote(read, objects, separators, block_bytes):
    lines = [json.dumps(each, ensure_ascii=False, separators=separators) for each in objects]
    columns, rows, unreadable = read("\n".join(lines).encode(), block_bytes=block_bytes)
    assert columns == list(dict.fromkeys(key for each in objects for key in each))
    expected = [[as_text(each.get(column)) for column in columns] for each in objects]
    assert ([values for _, values in rows], unreadable) == (expected, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "no line holds a JSON object"),
        (b'{\n  "a": 1\n}\n', "no line holds a JSON object"),
        (b' [\n{"a":1},\n{"a":2}]', "one JSON array"),
        ('{"a":1}'.encode("utf-16"), "the text is utf-16-le; convert the file to utf-8"),
        (b'{"a":"\xe9"}\n{"a":"\xe8"}\n', "the text is not utf-8; convert the file to utf-8"),
        (b'{"":1}\n', "has no name for column 1"),
        (b'{"a":1}\n{"b":"' + b"x" * 3_000_000, r"line 2: a row longer than 1\.0 MB"),
        (b"".join(b'{"k%d":1}\n' % number for number in range(2100)), "more than 2,000 different keys"),
        (b"PAR1", "it looks like a Parquet file"),
    ],
)
def test_a_file_without_usable_objects_is_refused(read, content, said):
    with pytest.raises(SourceError, match=said):
        read(content, block_bytes=1 << 16, row_bytes=1_000_000)


def test_a_mark_at_the_start_is_no_part_of_the_first_line(read):
    assert read(b'\xef\xbb\xbf{"a":1}\n')[1] == [(1, ["1"])]
