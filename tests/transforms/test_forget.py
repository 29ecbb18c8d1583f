"""What is erased of tables and reports, and what stays."""

import json

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.outcomes import Fate
from schemas.profiles import Column
from schemas.runs import Doubtful, Example, Reason, Requests, RunReport, Totals
from schemas.trace import Spelling
from schemas.values import Kind, Locale
from transforms.forget import (
    among,
    blanked,
    cut,
    emptied,
    erased_html,
    erased_json,
    erased_markdown,
    holding,
    marked,
    others_identifiers,
    without_customer,
)
from transforms.report import html, markdown
from transforms.trace import wanted_of

TEXTS = pa.array(["Asha", "Ravi", None])
FIRST = pa.array([True, False, False])


def test_only_what_says_where_and_what_became_of_it_stays():
    rows = pa.table({"row": [0, 1, 2], "line": [2, 3, 4], "0": TEXTS, "points_0": [1, 2, 3], "new": [b"a", b"b", b"c"]})
    assert blanked(rows, FIRST).to_pylist() == [
        {"row": 0, "line": 2, "0": None, "points_0": 1, "new": None},
        {"row": 1, "line": 3, "0": "Ravi", "points_0": 2, "new": b"b"},
        {"row": 2, "line": 4, "0": None, "points_0": 3, "new": b"c"},
    ]
    assert blanked(rows, FIRST).schema == rows.schema


@given(st.lists(st.tuples(st.text(min_size=6), st.booleans()), min_size=1))
def test_no_byte_of_what_is_blanked_is_left_in_memory(rows):
    texts, where = zip(*rows, strict=True)
    whole = blanked(pa.table({"0": pa.array(texts)}), pa.array(where)).column("0").combine_chunks()
    kept = "".join(text for text, gone in rows if not gone).encode()
    data = whole.buffers()[2]
    assert (data.to_pybytes()[: len(kept)] if data else b"") == kept
    assert whole.nbytes <= len(kept) + 8 * len(rows) + 64


def prepared():
    return pa.table(
        {
            "row": [4, 5, 6],
            "fate": pa.array([None, None, "invalid"]),
            "codes": pa.array([None, "email.too_long", "key.missing"]),
            "key": pa.array([b"a" * 16, b"a" * 16, b"b" * 16], pa.binary(16)),
            "identifiers": pa.array([[1], [2], [3]], pa.list_(pa.uint64())),
            "points_0": [1, 2, 3],
            "size": [9, 8, None],
            "payload": pa.array([b"A", b"B", b"C"]),
        }
    )


def test_a_prepared_row_keeps_the_fate_that_settling_gave_it():
    theirs = pa.array([True, True, False])
    found = without_customer(prepared(), theirs, theirs, {5: ("duplicate", "duplicates.another_row")})
    assert found.schema == prepared().schema
    assert found.column("fate").to_pylist() == [None, "duplicate", "invalid"]
    assert found.column("codes").to_pylist() == [None, "duplicates.another_row", "key.missing"]
    assert found.column("identifiers").to_pylist() == [[], [], [3]]
    assert found.column("key").to_pylist() == [None, None, b"b" * 16]
    assert (found.column("points_0").to_pylist(), found.column("size").to_pylist()) == ([1, 2, 3], [9, 8, None])
    assert found.column("payload").to_pylist() == [None, None, b"C"]


def test_a_payload_that_holds_them_as_a_child_goes_alone():
    found = without_customer(prepared(), pa.array([True, False, True]), pa.array([True, False, False]), {})
    assert found.column("payload").to_pylist() == [None, b"B", None]
    assert found.column("key").to_pylist() == [None, b"a" * 16, b"b" * 16]


def test_lines_are_emptied_and_rows_cut_where_they_are_theirs():
    lines = pa.table({"line": [2, 3, 4], "raw": [b"Asha\n", b"Ravi\n", b"\n"]})
    assert emptied(lines, FIRST).column("raw").to_pylist() == [b"", b"Ravi\n", b"\n"]
    assert cut(lines, FIRST).column("line").to_pylist() == [3, 4]
    assert marked(pa.array([0, 3]), 5).to_pylist() == [True, False, False, True, False]


def test_rows_are_joined_by_a_text_whatever_is_around_it():
    found = among(pa.array([" C-1\u200b", "C-11", None, "C-1"]), {"C-1"})
    assert found.to_pylist() == [True, False, False, True]


def test_an_identifier_is_anothers_where_another_key_has_it():
    rows = pa.table({"key": ["a", "b", None], "identifiers": pa.array([[1, 2], [2, 3], [4]], pa.list_(pa.uint64()))})
    assert others_identifiers(rows, pc.equal(rows.column("key"), "a")) == {2, 3}


# lines that are no rows

SALT = b"salt"
SPELLING = Spelling(
    Locale("IN"),
    Column("no", Kind.TEXT),
    (("mobile", Column("phone", Kind.MOBILE)), ("email", Column("mail", Kind.EMAIL))),
)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        (b"C-1,98450 12345,Asha", True),
        (b'"C-9";"+91-98450-12345"', True),
        (b"C-9\t919845012345\tAsha", True),
        (b'{"no": "C-9", "mail": "Asha.Rao@Example.com"', True),
        (b"C-9~asha.rao@example.com~x", True),
        (b"C-1", True),
        ("C-9,9845012345".encode("utf-16-le"), True),
        (b"C-9,ASHA.RAO@EXAMPLE.COM,M\xfcller\r\n", True),
        (b"C-11,9845012346,asha.rao@example.org", False),
        (b"XC-1,99845012345", False),
        (b"", False),
    ],
)
def test_a_broken_line_is_theirs_by_an_identifier_in_any_spelling(line, held):
    customer = wanted_of("C-1", [SPELLING], SALT) | wanted_of("9845012345", [SPELLING], SALT)
    customer |= wanted_of("asha.rao@example.com", [SPELLING], SALT)
    other = b"C-2,9845000002,ravi@example.com"
    assert holding([other, line, other], customer, [SPELLING], SALT) == [False, held, False]


# reports

FILES = ["a.csv", "b <&> 'c' \"d\" | `e`.csv"]


def report():
    reasons = tuple(
        Reason(Fate.INVALID, f"email.{why}", 2, "because", "mend it",
               (Example(file, 7, "C-1••••7"), Example(file, 70, "C-1••••7"), Example(file, 8, "")))
        for file, why in zip(FILES, ("too_long", "too_short"), strict=True)
    )  # fmt: skip
    doubts = tuple(Doubtful(file, line, "C-1••••7", "", None, "", (), 0) for file in FILES for line in (7, 70))
    totals = Totals(4, {Fate.INVALID: 2, Fate.IN_DOUBT: 2}, {}, {})
    return RunReport(
        run="r", job="j", mode="sync", state="done", exit_code=5, started="2026-03-01T00:30:00+05:30",
        finished="2026-03-01T00:41:12+05:30", destination="h", operation="update", totals=totals,
        requests=Requests(), requests_per_minute=90, seconds={}, reasons=reasons, changes=(), origins=(), ticks=(),
        doubts=doubts,
    )  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("write", "erased"), [(html, erased_html), (markdown, erased_markdown)])
def test_one_lines_customer_is_erased_wherever_a_report_shows_it(write, erased, file):
    before = write(report())
    after = erased(before, {(file, 7)})
    shown = before.count("C-1••••7")
    assert shown == 8
    assert (after.count("C-1••••7"), after.count("erased")) == (shown - 2, 2)
    assert after.replace("erased", "C-1••••7") == before
    assert erased(after, {(file, 7)}) == after


CLUSTER_HTML = """
<tr role="row">
<th role="rowheader" scope="row">
<span class="shared"><span class="who">91••••45</span> <span class="quiet">mobile</span></span>
<span class="shared"><span class="who">a••••@••••.com</span> <span class="quiet">email</span></span>
<span class="place">cluster 1</span></th>
<td role="cell"><ul class="examples" aria-label="Rows">
<li><span class="place">a.csv:7</span> <span class="who">C-1••••7</span></li>
<li><span class="place">a.csv:9</span> <span class="who">C-1••••9</span></li>
</ul></td>
</tr>
"""
CLUSTER_MD = "| 1 | mobile 91••••45<br>email a••••@••••.com | 1,002 | 1,004 | a.csv:9 C-1••••9<br>a.csv:7 C-1••••7 |\n"


@pytest.mark.parametrize(("told", "erased"), [(CLUSTER_HTML, erased_html), (CLUSTER_MD, erased_markdown)])
def test_a_cluster_does_not_say_what_they_shared(told, erased):
    after = erased(told, {("a.csv", 7)})
    assert [shown in after for shown in ("91••••45", "a••••@••••.com", "C-1••••7", "C-1••••9")] == [
        False, False, False, True,
    ]  # fmt: skip
    assert (after.count("erased"), after.count("mobile"), after.count("email")) == (3, 1, 1)
    assert erased(told, {("a.csv", 8), ("a.csv", 70)}) == told


@pytest.mark.parametrize(
    "members", [{"lines": ["a.csv:9", "a.csv:7"]}, {"members": [{"file": "a.csv", "line": 7, "customer": "C-1••••7"}]}]
)
def test_a_clusters_json_does_not_say_what_they_shared(members):
    told = {"clusters": [{"cluster": 1, "shared": [{"type": "mobile", "value": "91••••45"}], **members}]}
    (cluster,) = erased_json(told, {("a.csv", 7)})["clusters"]
    assert cluster["shared"] == [{"type": "mobile", "value": "erased"}]
    assert "C-1••••7" not in str(cluster)
    assert erased_json(told, {("a.csv", 8)}) == told


def test_a_json_entry_of_one_line_loses_its_customer():
    told = report().as_json() | {"doubts": [{"file": "a.csv", "line": 7, "customer": "C••••", "rest": [1]}]}
    whole = json.loads(json.dumps(told))
    erased = erased_json(whole, {("a.csv", 7)})
    assert erased["doubts"] == [{"file": "a.csv", "line": 7, "customer": "erased", "rest": [1]}]
    assert {name: erased[name] for name in erased if name != "doubts"} == {
        name: whole[name] for name in whole if name != "doubts"
    }
