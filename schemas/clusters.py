"""Customers that share an identifier, as people and machines are told of them; all of it is masked."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Shared:
    """An identifier that several customers have, by its type in the API's words."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class Member:
    """A row of a cluster, sent or not."""

    file: str
    line: int
    customer: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that hang together by what they share: `shared` and `members` are the first of them, `rows` counts all.

    `cluster` is its number in results.parquet.
    """

    cluster: int
    rows: int
    customers: int
    shared: tuple[Shared, ...]
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Clusters:
    """How many clusters a run has, and the largest of them, the largest first."""

    total: int = 0
    largest: tuple[Cluster, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What plan.json and run.json say of them: nothing where there are none."""
        return (
            {"clusters_found": self.total, "clusters": [_cluster_json(one) for one in self.largest]}
            if self.total
            else {}
        )


NO_CLUSTERS = Clusters()


def _cluster_json(cluster: Cluster) -> dict[str, Any]:
    return {
        "cluster": cluster.cluster,
        "rows": cluster.rows,
        "customers": cluster.customers,
        "shared": [{"type": shared.type, "value": shared.value} for shared in cluster.shared],
        "lines": [f"{member.file}:{member.line}" for member in cluster.members],
    }
