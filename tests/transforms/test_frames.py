"""What a source yields becomes parts of text and frames of the wanted columns."""

import pyarrow as pa

from schemas.rows import RawRows
from transforms.frames import frame_of, gathered


def batch(file, lines, **columns):
    return RawRows(file, pa.record_batch({n: pa.array(v, pa.string()) for n, v in columns.items()}), pa.array(lines))


def test_batches_are_gathered_under_their_places():
    batches = [
        batch(0, [2, 3], a=["1", "2"], _fate=["x", "y"], b=["3", None]),
        batch(1, [2], a=["4"], _fate=[""], b=["5"]),
    ]
    assert gathered(batches, 100, drop=["_fate"]).to_pydict() == {
        "0": ["1", "2", "4"],
        "1": ["3", None, "5"],
        "row": [100, 101, 102],
        "file": [0, 0, 1],
        "line": [2, 3, 2],
    }


def test_a_dropped_column_may_be_kept_by_its_name():
    rows = batch(0, [2], a=["1"], _line=["7"], _fate=["x"])
    table = gathered([rows], 0, drop=["_fate", "_line"], keep=["_line", "_file"])
    assert table.to_pydict() == {"0": ["1"], "_line": ["7"], "row": [0], "file": [0], "line": [2]}


TABLES = {
    "customers": pa.table({"0": ["a", "b"], "1": ["c", "d"]}),
    "loyalty": pa.table({"0": ["10", None], "several": [False, True]}),
    "cards": pa.table({"0": ["x", "y"], "several": [True, False]}),
}


def test_wanted_columns_come_under_their_wanted_names():
    places = {"member": ("customers", 0), "customers.member": ("customers", 0), "points": ("loyalty", 0)}
    frame, several = frame_of(places, "customers", ["loyalty"], lambda table, names: TABLES[table].select(names))
    assert {name: frame[name].tolist()[0] for name in frame} == {"member": "a", "customers.member": "a", "points": "10"}
    assert several.to_pylist() == [False, True]


def test_a_row_with_several_partners_in_any_table_is_marked():
    places = {"member": ("customers", 0)}
    _, several = frame_of(places, "customers", ["loyalty", "cards"], lambda table, names: TABLES[table].select(names))
    assert several.to_pylist() == [True, True]


def test_a_single_table_has_no_several():
    _, several = frame_of({"x": ("customers", 1)}, "customers", [], lambda table, names: TABLES[table].select(names))
    assert several.to_pylist() == [False, False]
