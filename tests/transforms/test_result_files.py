"""What became of each line of a file, in words for whoever sent it."""

import pyarrow as pa

from transforms.result_files import READ, result_lines


def results(*rows):
    return pa.table(
        {name: [row.get(name) for row in rows] for name in READ},
        schema=pa.schema([(name, pa.int64() if name in ("line", "attempt") else pa.string()) for name in READ]),
    )


ROWS = results(
    {"file": "a.csv", "line": 2, "fate": "accepted", "entity_id": "77", "attempt": 1, "request_id": "q-1"},
    {"file": "b.csv", "line": 2, "fate": "accepted"},
    {"file": "a.csv", "line": 4, "fate": "invalid", "codes": "key.missing"},
    {"file": "a.csv", "line": 3, "fate": "unreadable", "codes": "line.too_few_columns"},
)


def test_a_file_has_its_own_lines_in_their_order():
    told = result_lines(ROWS, {"a.csv": ""}, "update").to_pylist()
    assert [(row["line"], row["fate"]) for row in told] == [(2, "accepted"), (3, "unreadable"), (4, "invalid")]
    assert list(told[0]) == ["line", "fate", "code", "message", "entity_id", "attempt", "request_id"]
    assert (told[0]["entity_id"], told[0]["attempt"], told[0]["request_id"]) == ("77", 1, "q-1")


def test_codes_are_told_in_words():
    told = result_lines(ROWS, {"a.csv": ""}, "update").to_pylist()
    assert (told[0]["code"], told[0]["message"]) == (None, None)
    assert told[1]["code"] == "line.too_few_columns"
    assert told[1]["message"].endswith(".")


def test_members_of_an_archive_stand_in_front():
    told = result_lines(ROWS, {"a.csv": "north/a.csv", "b.csv": "b.csv"}, "update").to_pylist()
    assert [(row["member"], row["line"]) for row in told] == [
        ("north/a.csv", 2), ("north/a.csv", 3), ("north/a.csv", 4), ("b.csv", 2),
    ]  # fmt: skip


def test_a_file_without_lines_has_columns():
    told = result_lines(ROWS, {"c.csv": ""}, "update")
    assert (told.num_rows, told.column_names[0]) == (0, "line")
