"""Manifests, read and compared."""

import pyarrow as pa
import pytest

from schemas.errors import SourceError
from schemas.manifests import FileManifest
from transforms.manifests import added, broken_by_file, broken_by_points, broken_by_rows, points_by_file, read_manifest

COLUMNS = ("member_no", "points")


@pytest.mark.parametrize(
    "text",
    [
        '{"rows": 12, "points": {"1016": 30}}',
        "rows: 12\npoints:\n  1016: 30\n",
        '{"points": {"1016": 30.0}, "rows": 12}',
    ],
    ids=["json", "yaml", "float"],
)
def test_a_manifest_is_json_or_yaml(text):
    assert read_manifest(text, "source.customers: a.json") == FileManifest(rows=12, points={"1016": 30})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no manifest; write JSON or YAML"),
        ("[1]", "is no manifest"),
        ('{"rows": 12', "is no manifest"),
        ('{"rows": -1}', "rows: Input should be greater than or equal to 0; allowed are rows, points, sha256"),
        ('{"sha256": "abc"}', "sha256: String should match pattern"),
        ('{"lines": 12}', "lines: Extra inputs are not permitted"),
    ],
    ids=["empty", "list", "cut", "negative", "digest", "unknown"],
)
def test_what_is_no_manifest_is_told(text, said):
    with pytest.raises(SourceError) as refused:
        read_manifest(text, "source.customers: a.json")
    assert str(refused.value).startswith(f"source.customers: a.json: {said}")


def test_nothing_of_the_environment_is_read():
    with pytest.raises(SourceError, match="is no manifest"):
        read_manifest("columns: [${HOME}]", "source.customers: a.json")


def test_what_a_manifest_does_not_say_is_not_compared():
    nothing = FileManifest()
    assert list(broken_by_file(nothing, "0a" * 32, COLUMNS, "a.csv")) == []
    assert list(broken_by_rows(nothing.rows, 7, "a.csv")) == []
    assert list(broken_by_points(nothing.points, {"1016": 7}, "a.csv")) == []


def test_all_that_differs_in_a_file_is_told():
    said = FileManifest(sha256="0A" * 32, columns=["points", "member_no"], columns_sha256="0b" * 32)
    told = list(broken_by_file(said, "0c" * 32, COLUMNS, "a.csv"))
    assert [each.partition(": its manifest expects ")[2].split()[0:2] for each in told] == [
        ["the", "SHA-256"], ["the", "columns"], ["columns_sha256", f"{'0b' * 32},"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (30, []),
        (31, ["31 points of all programmes, 30 were read"]),
        ({"1016": 20, "7": 10}, []),
        ({"1016": 20}, ["0 points of 7, 10 were read"]),
        ({"1016": 20, "7": 10, "8": 5}, ["5 points of 8, 0 were read"]),
    ],
    ids=["sum", "wrong-sum", "each", "one-more", "one-less"],
)
def test_points_are_compared_in_sum_or_by_programme(said, told):
    broken = list(broken_by_points(said, {"1016": 20, "7": 10}, "a.csv"))
    assert [each.partition(" expects ")[2].rpartition(";")[0] for each in broken] == told


def test_points_are_summed_by_file_and_programme():
    prepared = pa.table(
        {
            "file": [0, 0, 1],
            "points_0": [5, 6, 7],
            "programme_0": ["1016", "1016", "1016"],
            "points_1": [0, 1, 0],
            "programme_1": ["", "7", ""],
        }
    )
    found = points_by_file(prepared)
    assert found == {0: {"1016": 11, "7": 1}, 1: {"1016": 7}}
    assert added([found, found]) == {0: {"1016": 22, "7": 2}, 1: {"1016": 14}}
