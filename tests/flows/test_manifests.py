"""Manifests beside dropped files: nothing is sent of a file that is not what its sender says it is."""

import json
from hashlib import sha256
from typing import Any

import pytest

from tests.flows.conftest import Desk
from tests.flows.test_drops import drop, job, lines, lying, notes  # noqa: F401  # a fixture is among them

COLUMNS = ["member_no", "phone", "first_name", "points"]
TABLE = {"manifest": ".manifest.json"}
TWO = lines(1, 2) + "C-3,9845000003,Asha\n\n"  # two customers, a line that is no row, and a blank one


def fingerprint(*columns: str) -> str:
    return sha256("\x1f".join(columns).encode()).hexdigest()


def dropped(desk: Desk, name: str, content: str, **said: Any) -> None:
    desk.write(f"inbox/{name}", content)
    desk.write(f"inbox/{name}.manifest.json", json.dumps(said))


TRUE = {
    "rows": 3,
    "points": {"1016": 3},
    "sha256": sha256(TWO.encode()).hexdigest().upper(),
    "columns": COLUMNS,
    "columns_sha256": fingerprint(*COLUMNS),
}


def test_a_file_as_its_manifest_says_is_loaded(drop: Desk):  # noqa: F811 - the fixture
    dropped(drop, "a.csv", TWO, **TRUE)
    done = drop("run", job(drop, table=TABLE))
    assert done.sent == {"unreadable": 1, "accepted": 2}
    assert lying(drop, "done") == ["a.csv", "a.csv.manifest.json"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"rows": 4}, "expects 4 rows, 3 were read"),
        ({"points": 4}, "expects 4 points of all programmes, 3 were read"),
        ({"points": {"1016": 3, "7": 1}}, "expects 1 points of 7, 0 were read"),
        ({"points": {}}, "expects 0 points of 1016, 3 were read"),
        ({"sha256": "0" * 64}, "expects the SHA-256 0000"),
        ({"columns": ["phone", "member_no", "first_name", "points"]}, "expects the columns phone, member_no"),
        ({"columns_sha256": fingerprint("phone")}, "expects columns_sha256"),
        ({"row": 3}, "row: Extra inputs are not permitted; allowed are rows, points, sha256"),
        ({"rows": "many"}, "rows: Input should be a valid integer"),
    ],
    ids=["rows", "points", "programme", "no-points", "sha256", "columns", "fingerprint", "unknown", "no-number"],
)
def test_a_file_that_is_not_as_its_manifest_says_fails_alone(drop: Desk, said: Any, told: str):  # noqa: F811 - the fixture
    dropped(drop, "a.csv", TWO, **said)
    dropped(drop, "b.csv", lines(5, 6), rows=2, points=11)
    path = job(drop, table=TABLE)
    wrong = drop("run", path)
    assert wrong.exit_code == 2
    assert f"a.csv{'.manifest.json' if 'expects' not in told else ''}: " in wrong.stderr
    assert told in wrong.stderr
    assert "b.csv" not in wrong.stderr.replace("Put away", "")
    assert drop.books.customers_written() == 0
    assert lying(drop, "failed") == ["a.csv", "a.csv.manifest.json"]
    assert lying(drop, "inbox") == ["b.csv", "b.csv.manifest.json"]
    assert drop("run", path).sent == {"accepted": 2}


def test_a_file_waits_for_its_manifest(drop: Desk):  # noqa: F811 - the fixture
    drop.write("inbox/a.csv", TWO)
    path = job(drop, table={"manifest": "{stem}.yaml", "move_to": None})
    assert notes(drop("run", path)).endswith("nothing to load: 1 file waits for its {stem}.yaml")
    drop.write("inbox/a.yaml", "rows: 3\n")
    assert drop("run", path).sent == {"unreadable": 1, "accepted": 2}


def test_what_is_no_manifest_is_told(drop: Desk):  # noqa: F811 - the fixture
    drop.write("inbox/a.csv", TWO)
    drop.write("inbox/a.csv.manifest.json", '{"rows": 3')
    wrong = drop("run", job(drop, table=TABLE))
    assert wrong.exit_code == 2
    assert "a.csv.manifest.json: is no manifest; write JSON or YAML with rows, points" in wrong.stderr


def test_with_a_limit_rows_are_not_compared(drop: Desk):  # noqa: F811 - the fixture
    dropped(drop, "a.csv", TWO, rows=2_000)
    some = drop("run", job(drop, table=TABLE), "--limit", "1")
    assert some.exit_code == 0
    assert "their manifests are not compared" in notes(some)


def test_what_a_manifest_counted_is_not_counted_again_in_a_retry(drop: Desk):  # noqa: F811 - the fixture
    drop.sandbox.preload(["C-5"])
    drop.write("customers.csv", lines(1, 4) + ",9845000005,Asha,5\n")
    dropped(drop, "l.csv", "member_no,tier\nC-1,gold\nC-5,blue\nC-8,a,b,c\n", rows=3)
    table = {"files": "inbox/l*.csv", "still_for": "0s", "join": {"on": "member_no"}, **TABLE}
    source = {"customers": {"files": "customers.csv"}, "loyalty": {**table, "move_to": {"done": "done/"}}}
    first = drop("run", drop.job(source=source, key="member_no", map={"lastName": "loyalty.tier"}))
    assert first.sent == {"accepted": 4, "invalid": 1}
    again = drop("retry")
    assert (again.exit_code, again.sent) == (0, {"invalid": 1})
