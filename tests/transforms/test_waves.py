"""Rows of a family go one after the other, and again only as a whole."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.waves import by_wave, going_again, held_up, in_turn, only_rows, with_wave, within

WAVES = pa.table({"row": pa.array([2, 7, 4], pa.int64()), "wave": pa.array([1, 1, 2], pa.int32())})
NOBODY = WAVES.slice(0, 0)


def numbers(*rows):
    return pa.table({"row": pa.array(rows, pa.int64())})


def test_a_parts_rows_are_those_between_its_first_and_its_end():
    assert within(WAVES, 2, 7).column("row").to_pylist() == [2, 4]


def test_rows_that_are_not_left_are_in_no_wave():
    assert only_rows(WAVES, numbers(4, 5, 7)).to_pydict() == {"row": [7, 4], "wave": [1, 2]}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 4)), unique_by=lambda one: one[0]))
def test_waves_come_in_turn_and_each_row_in_its_own(rows):
    table = pa.table({"row": pa.array([row for row, _ in rows], pa.int64()), "wave": [wave for _, wave in rows]})
    told = [wave["row"].to_pylist() for wave in in_turn(table)] if rows else []
    wanted = {wave: sorted(row for row, of in rows if of == wave) for wave in range(1, 5)}
    assert told == [some for some in wanted.values() if some]


def test_nobody_waits_where_there_are_no_waves():
    assert list(in_turn(NOBODY)) == []


def test_rows_wait_for_those_whose_answer_is_not_known():
    wave = numbers(4, 5, 6).append_column("waits_for", pa.array([2, None, 3], pa.int64()))
    assert held_up(wave, {2, 5}).to_pylist() == [True, False, False]
    assert held_up(wave, set()).to_pylist() == [False] * 3


def test_each_row_is_told_its_wave_and_others_are_first():
    assert with_wave(numbers(1, 2, 4), WAVES).column("wave").to_pylist() == [0, 1, 2]
    assert with_wave(numbers(1, 2), NOBODY).column("wave").to_pylist() == [0, 0]


def test_rows_go_again_wave_by_wave():
    waves = by_wave(with_wave(numbers(4, 1, 2, 7, 3), WAVES))
    assert [wave.column("row").to_pylist() for wave in waves] == [[1, 3], [2, 7], [4]]
    assert [wave.column("row").to_pylist() for wave in by_wave(numbers(4, 1))] == [[4, 1]]


# Row 1 brings 8 and 9 along, row 2 brings 10, row 3 nobody.
FAMILIES = {1: (8, 9), 2: (10,), 3: ()}
PARENTS = {kid: parent for parent, kids in FAMILIES.items() for kid in kids}


def doubtful(*rows):
    table = numbers(*rows)
    table = table.append_column("children", pa.array([FAMILIES.get(row) for row in rows], pa.list_(pa.int64())))
    return table.append_column("parent", pa.array([PARENTS.get(row) for row in rows], pa.int64()))


@pytest.mark.parametrize(
    ("in_doubt", "untouched", "again"),
    [
        ((1, 2, 3, 8, 9, 10), {1, 2, 3, 8, 9, 10}, [(1, 8, 9), (2, 10), (3,)]),
        ((1, 2, 3, 8, 9, 10), {1, 8, 9, 10}, [(1, 8, 9)]),  # the parent of 10 was applied
        ((1, 8, 9), {1, 8}, []),  # 9 was applied, or is unclear
        ((1, 8), {1, 8}, []),  # 9 has its answer
        ((8, 10), {8, 10}, []),  # nobody goes without their parent
        ((), set(), []),
    ],
)
def test_a_family_goes_again_whole_or_not_at_all(in_doubt, untouched, again):
    assert going_again(doubtful(*in_doubt), untouched) == again


def test_rows_of_a_job_that_does_not_nest_go_again_each_by_itself():
    assert going_again(numbers(1, 2, 3), {1, 3}) == [(1,), (3,)]
