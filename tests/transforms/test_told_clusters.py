"""Clusters as a person is told of them: the largest first, and nothing in clear."""

import duckdb
import pyarrow as pa

from schemas.clusters import Cluster, Clusters, Member, Shared
from transforms.identity import hashes_of
from transforms.told_clusters import MEMBERS, TOLD, largest, told_clusters, wanted_rows

SALT = b"salt"
PAYLOAD = (
    b'{"profiles":[{"identifiers":[{"type":"mobile","value":"919845012345"},{"type":"email","value":"asha@x.com"}]}]}'
)


def shared(kind, value):
    return int(hashes_of(kind, pa.array([value]), SALT)[0])


def found(clusters):
    """Clusters are (row, cluster, hash, to be sent); each row is a customer of its own."""
    rows, numbers, hashes, sent = zip(*clusters, strict=True) if clusters else ((), (), (), ())
    with duckdb.connect() as database:
        database.from_arrow(
            pa.table(
                {
                    "row": pa.array(rows, pa.int64()),
                    "cluster": pa.array(numbers, pa.int64()),
                    "shared": pa.array(hashes, pa.uint64()),
                    "to_be_sent": pa.array(sent, pa.bool_()),
                }
            )
        ).create_view("clusters")
        database.execute("create table components as select distinct row, cluster as root from clusters")
        known = sorted(set(rows))
        people = {
            "row": pa.array(known, pa.int64()),
            "key": pa.array([str(row).encode() for row in known], pa.binary()),
        }
        database.from_arrow(pa.table(people)).create_view("prepared")
        return largest(database)


def test_a_cluster_is_told_by_what_its_rows_to_be_sent_share():
    mobile, email = shared("mobile", "919845012345"), shared("email", "Asha@X.com")
    clusters = found(
        [(3, 3, mobile, False), (3, 3, email, False), (5, 3, mobile, True), (8, 3, mobile, True), (8, 3, email, True)]
    )
    rows = {row: {"file": 0, "line": row + 2, "customer": f"C-10000{row}", "payload": None} for row in (3, 5, 8)}
    rows[5]["payload"] = rows[8]["payload"] = PAYLOAD
    assert wanted_rows(clusters) == [3, 5, 8]
    assert told_clusters(clusters, rows, ["a.csv"], SALT) == Clusters(
        1,
        (
            Cluster(
                3, 3, 3,
                (Shared("mobile", "91••••45"), Shared("email", "a••••@••••.com")),
                (Member("a.csv", 5, "C-••••03"), Member("a.csv", 7, "C-••••05"), Member("a.csv", 10, "C-••••08")),
            ),
        ),
    )  # fmt: skip


def test_the_largest_are_told_and_all_are_counted():
    pairs = [(10 * n + row, 10 * n, n, True) for n in range(TOLD + 10) for row in range(2 + (n == 7) * MEMBERS)]
    clusters = found(pairs)
    assert [cluster["cluster"] for cluster in clusters] == [70, *(10 * n for n in range(TOLD) if n != 7)]
    assert clusters[0]["members"] == [70, 71, 72, 73, 74]
    assert (clusters[0]["rows"], clusters[0]["total"]) == (2 + MEMBERS, TOLD + 10)


def test_no_cluster_is_nothing_to_tell():
    assert found([]) == []
    assert told_clusters([], {}, [], SALT) == Clusters()
