"""Lines of a job file, live and commented out, with their reasons behind them."""

import textwrap

from schemas.job_text import Entry
from transforms.job_text import text_of


def written(*blocks: Entry) -> str:
    return text_of(blocks)


def shown(text: str) -> str:
    return textwrap.dedent(text).removeprefix("\n")


def test_blocks_stand_apart_and_reasons_behind_their_lines():
    assert written(Entry("a: 1", "why"), Entry("b:", children=(Entry("c: 2"),))) == (
        f"{'a: 1':<48}  # why\n\nb:\n  c: 2\n"
    )


def test_what_is_asleep_is_right_when_the_mark_is_taken_away():
    points = Entry("- p: 1", children=(), live=True)
    asleep = Entry("list:", live=False, children=(points, Entry("  q: 2")))
    assert written(Entry("map:", children=(Entry("x: 1"), asleep))) == shown(
        """
        map:
          x: 1
          # list:
          #   - p: 1
          #     q: 2
        """
    )


def test_a_line_that_only_holds_sleeping_ones_sleeps_too():
    assert written(Entry("rules:", children=(Entry("filter: x", live=False),))) == "# rules:\n#   filter: x\n"


def test_a_long_reason_stands_above_its_line():
    why = "a reason that is told in many words " * 5
    lines = written(Entry("key: a", why)).splitlines()
    assert (len(lines), lines[-1]) == (3, "key: a")
    assert all(line.startswith("# ") and len(line) <= 140 for line in lines[:-1])


def test_sentences_alone_are_comments():
    assert written(Entry(why="first", children=(Entry(why="second"),))) == "# first\n# second\n"


def test_a_reason_cannot_end_its_line():
    assert "\n" not in written(Entry("a: 1", "x\ny\x85z"))[:-1]
