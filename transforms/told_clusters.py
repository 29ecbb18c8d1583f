"""Clusters as a person is told of them: the largest ones, what they share and whose rows they are, masked at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from schemas.clusters import Cluster, Clusters, Member, Shared
from transforms.identity import hashes_of
from transforms.masking import mask

TOLD = 20  # clusters
MEMBERS = 5  # of each
SHARED = 3  # identifiers of each

# Told is of few, and looked at are only theirs: of millions of clusters nothing but their sizes is kept.
_SIZES = "select root as cluster, count(*) as rows from components group by root"
_TOP = f"select * from sizes order by rows desc, cluster limit {TOLD}"
_TOP_LINES = "select clusters.* from clusters semi join top using (cluster)"
_LARGEST = f"""
    select cluster, rows,
           (select count(distinct key) from lines join (select row, key from prepared) as people using (row)
            where lines.cluster = top.cluster) as customers,
           (select list(row) from (select distinct row from lines where lines.cluster = top.cluster
                                   order by row limit {MEMBERS})) as members,
           (select list({{'hash': shared, 'row': example}})
            from (select shared, count(*) as times, min(row) filter (to_be_sent) as example
                  from lines where lines.cluster = top.cluster
                  group by shared order by times desc, example, shared limit {SHARED})) as shared,
           (select count(*) from sizes) as total
    from top order by rows desc, cluster
"""


class _Identifier(msgspec.Struct):
    type: str
    value: str | int


class _Profile(msgspec.Struct):
    identifiers: list[_Identifier]


class _Person(msgspec.Struct):
    profiles: list[_Profile]


class _Family(msgspec.Struct, frozen=True, rename="camel"):
    child_customers: tuple[_Person, ...] = ()
    parent_customer: _Person | None = None


class _Customer(_Person, rename="camel"):
    association_details: _Family | None = None

    @property
    def identifiers(self) -> Iterator[_Identifier]:
        """Of the customer, and of whom the payload brings along."""
        family = self.association_details
        beside = [*family.child_customers, family.parent_customer] if family else []
        for person in (self, *filter(None, beside)):
            for profile in person.profiles:
                yield from profile.identifiers


def largest(database: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """The largest clusters: `cluster, rows, customers, members, shared, total`.

    `members` are their first rows; `shared` holds hashes of identifiers, each with a `row` that is sent with it, or
    would be. The database has the views `clusters` and `prepared` (`row, key`), and the table `components` as
    `transforms.clusters` leaves it.
    """
    for name, question in {"sizes": _SIZES, "top": _TOP, "lines": _TOP_LINES}.items():
        database.execute(f"create or replace temp table {name} as {question}")
    found = database.sql(_LARGEST)
    return [dict(zip(found.columns, line, strict=True)) for line in found.fetchall()]


def wanted_rows(clusters: Sequence[Mapping[str, Any]]) -> list[int]:
    """The rows that have to be looked at to tell of these clusters."""
    shown = {row for cluster in clusters for row in cluster["members"]}
    return sorted(shown | {shared["row"] for cluster in clusters for shared in cluster["shared"]})


def told_clusters(
    clusters: Sequence[Mapping[str, Any]], rows: Mapping[int, Mapping[str, Any]], files: Sequence[str], salt: bytes
) -> Clusters:
    """`rows` has `file, line, payload` and the raw `customer` of `wanted_rows`, by row."""

    def told(cluster: Mapping[str, Any]) -> Cluster:
        members = (rows[row] for row in cluster["members"])
        return Cluster(
            cluster=cluster["cluster"],
            rows=cluster["rows"],
            customers=cluster["customers"],
            shared=tuple(
                known for shared in cluster["shared"] for known in _named(rows[shared["row"]], shared["hash"], salt)
            ),
            members=tuple(Member(files[one["file"]], one["line"], mask(one["customer"] or "")) for one in members),
        )

    return Clusters(clusters[0]["total"] if clusters else 0, tuple(told(cluster) for cluster in clusters))


def _named(row: Mapping[str, Any], wanted: int, salt: bytes) -> Iterator[Shared]:
    """The identifier of a payload that has this hash."""
    for known in msgspec.json.decode(row["payload"], type=_Customer).identifiers:
        if hashes_of(known.type, pa.array([str(known.value)]), salt)[0] == wanted:
            yield Shared(known.type, mask(str(known.value)))
