"""Children of leading rows: judged like customers, and put into their parents' payloads."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.profiles import Template
from transforms.associations import BLOCK

Ints = npt.NDArray[np.int64]
TOO_MANY = "family.too_many_children"
ORPHAN = "family.orphan"
# Children's JSON that is held at once beside the slice of their parents.
_MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Brood:
    """The children of a part's leading rows.

    `counts`: how many rows of the nested table each leading row has; `sizes`: bytes of those that may travel.
    `take` gives, once and in order, what may travel with the next leading rows, up to a row number: `row`, `parent`,
    `identifiers`, `payload`.
    """

    first_row: int
    counts: Ints
    sizes: Ints
    take: Callable[[int], Iterator[pa.Table]]

    def slices(self, rows: int, most_bytes: int) -> Iterator[tuple[int, int]]:
        """Places of leading rows, from and to, whose children can be held at once: at most so many rows."""
        ends = np.cumsum(np.where(self.sizes > most_bytes, 0, self.sizes))
        start = 0
        while start < len(ends) or start == 0:
            done = ends[start - 1] if start else 0
            fits = int(np.searchsorted(ends, done + max(_MOST_BYTES, most_bytes), side="right"))
            stop = min(max(fits, start + 1), start + rows, len(ends))
            yield start, stop
            start = max(stop, 1)


@dataclass(frozen=True, slots=True)
class Borne:
    """What children some leading rows bear: their JSON (null: none), and their row numbers."""

    json: pa.Array
    rows: pa.Array


def bear(brood: Brood, start: int, identifiers: pa.Array, most_bytes: int) -> Borne:
    """The children of leading rows from place `start` on, as many as have `identifiers` (a list each).

    Whoever shares an identifier with the parent does not travel: the API would make one of both. Nor do those that
    together are larger than a request. They come in the order of their payloads.
    """
    count = len(identifiers)
    first = brood.first_row + start
    fits = brood.sizes[start : start + count] <= most_bytes
    pieces = []
    for piece in brood.take(first + count):
        places = piece.column("parent").to_numpy() - first
        pieces.append(piece.append_column("place", pa.array(places)).filter(pa.array(fits[places])))
    if not pieces:
        return Borne(pa.nulls(count, pa.string()), pa.array([[]] * count, pa.list_(pa.int64())))
    kids = pa.concat_tables(pieces)
    kids = kids.filter(pa.array(~_shares(kids, identifiers)))
    # Not as they stand in the file: who is moved in it has not changed.
    kids = kids.sort_by([(name, "ascending") for name in ("place", "payload", "row")])
    places = kids.column("place").to_numpy()
    ends = pa.array(np.searchsorted(places, np.arange(count + 1)).astype(np.int32))
    texts = pa.ListArray.from_arrays(ends, kids.column("payload").combine_chunks().cast(pa.string()))
    rows = pa.ListArray.from_arrays(ends, kids.column("row").combine_chunks())
    joined = pc.binary_join_element_wise("[", pc.binary_join(texts, ","), "]", "")
    return Borne(pc.if_else(pc.greater(pc.list_value_length(rows), 0), joined, pa.scalar(None, pa.string())), rows)


def _shares(kids: pa.Table, identifiers: pa.Array) -> npt.NDArray[np.bool_]:
    """Which children have one of their parent's identifiers."""
    theirs = kids.column("identifiers").combine_chunks()
    of = pc.list_parent_indices(theirs)
    asked = pa.table({"kid": of, "place": kids.column("place").take(of), "hash": pc.list_flatten(theirs)})
    parents = pa.table({"place": pc.list_parent_indices(identifiers), "hash": pc.list_flatten(identifiers)})
    met = asked.join(parents, ["place", "hash"], join_type="left semi", use_threads=False)
    shares = np.zeros(kids.num_rows, dtype=bool)
    shares[met.column("kid").to_numpy()] = True
    return shares


def again_of(parent: pa.Array, key: pa.Array, fate: pa.Array) -> pa.Array:
    """Whether a row of the same parent and person stood before it; of those that have no fate. Sorted by row."""
    rows = pa.table({"at": pa.array(np.arange(len(key))), "parent": parent, "key": key}).filter(fate.is_null())
    first = rows.group_by(["parent", "key"], use_threads=False).aggregate([("at", "min")]).column("at_min")
    again = fate.is_null().to_numpy(zero_copy_only=False).copy()
    again[first.to_numpy()] = False
    return pa.array(again)


def untold(
    template: Template, values: Mapping[str, pa.Array], children: pa.Array | None
) -> Iterator[tuple[pa.Array, str]]:
    """Rows with a family or a company and without a code that the API wants with it, and the reason."""
    targets = {leaf.target for leaf in template.leaves()}
    company = f"{BLOCK}.fleetCompany.externalId"
    of_parent = [] if children is None else [children.is_valid()]
    of_child = [values[leaf.target].is_valid() for leaf in template.parent]
    of_company = [values[company].is_valid()] if company in targets else []
    role = f"{BLOCK}.roleCode"
    of_head = [values[role].is_valid()] if of_child and role in targets else []
    block = [*of_parent, *of_child, *of_company, *of_head]
    for word, where in (("hierarchyCode", block), ("roleCode", block), ("childRoleCode", of_parent)):
        target = f"{BLOCK}.{word}"
        if where and target in targets:
            yield pc.and_(reduce(pc.or_, where), values[target].is_null()), f"{word}.missing"
