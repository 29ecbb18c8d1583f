"""Closed rows as people and machines get them: results, rejected rows, reasons with examples."""

import os.path
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import explain
from schemas.meanings import Meaning
from schemas.outcomes import Fate
from schemas.reasons import explain_ours
from schemas.rows import OURS
from schemas.runs import Example, Reason
from transforms.masking import mask
from transforms.outcomes import count_reasons, first_of_each, reasons

Operation = Literal["update", "register", "upsert"]
EXAMPLES = 3
# Unreadable lines have no columns: loaded again, they would be customers without a key.
REJECTED = [fate.value for fate in Fate if fate.rejected]


def told_apart(paths: Sequence[PurePath]) -> list[str]:
    """The shortest path that tells each file from the others: its name, or its path below their common folder."""
    folders: dict[str, list[PurePath]] = defaultdict(list)
    for path in paths:
        folders[path.name].append(path.parent)
    common = {name: os.path.commonpath(of) for name, of in folders.items()}
    return [path.relative_to(common[path.name]).as_posix() for path in paths]


def clustered(closed: pa.Table, clusters: pa.Table) -> pa.Table:
    """A closed part with the `cluster` of each row behind it, null where it is in none; `clusters` has some rows."""
    at = pc.index_in(closed.column("row").combine_chunks(), value_set=clusters.column("row").combine_chunks())
    return closed.append_column("cluster", clusters.column("cluster").combine_chunks().take(at))


def results_of(closed: pa.Table, files: Sequence[str]) -> pa.Table:
    """`results.parquet`: files by name, customers by keyed hash."""
    named = pa.array(files, pa.string()).take(closed.column("file").combine_chunks())
    theirs = {"key": "key_hash", "digest": "payload_digest"}
    return closed.set_column(closed.schema.get_field_index("file"), "file", named).rename_columns(
        [theirs.get(name, name) for name in closed.column_names]
    )


def rejected_of(
    closed: pa.Table, raw: pa.Table, columns: Sequence[str], files: Sequence[str], operation: Operation
) -> pa.Table:
    """`rejected.csv`: the source's own columns and text, then what became of the row and why.

    `closed` is linked: a row that was retried keeps the file and line that it stood on first. `raw` holds the
    part's readable rows, columns named by place. Unreadable lines are left out; what an earlier run's doubt held
    back is told too, because it can be sent once that run is settled.
    """
    rejected = pc.is_in(closed.column("fate"), value_set=pa.array(REJECTED))
    held = pc.and_(pc.equal(closed.column("fate"), Fate.IN_DOUBT.value), closed.column("batch").is_null())
    at = pc.indices_nonzero(pc.or_(rejected, held).combine_chunks())
    lines = closed.take(at)
    reason = [sentences(codes, operation) for codes in lines.column("codes").to_pylist()]
    values = [raw.column(str(place)).combine_chunks().take(at) for place in range(len(columns))]
    named = pa.array(files, pa.string()).take(lines.column("file").combine_chunks())
    ours = [
        lines.column("fate"),
        lines.column("codes"),
        pa.array(reason, pa.string()),
        pc.coalesce(lines.column("first_file"), named),
        pc.coalesce(lines.column("first_line"), lines.column("line")).cast(pa.string()),
    ]
    return pa.Table.from_arrays([*values, *ours], [*columns, *OURS])


def sentences(codes: str | None, operation: Operation) -> str:
    """What codes that are joined by ; mean."""
    return " ".join(dict.fromkeys(meaning(code, operation).cause for code in (codes or "").split(";") if code))


@lru_cache(maxsize=10_000)
def meaning(code: str, operation: Operation) -> Meaning:
    """Cause and fix of a reason's code: a number is the API's, a word is ours."""
    if code[:1].isdigit() or code in ("no_code", "extended_field"):
        told = explain(code, operation)
        return Meaning(told.cause, told.fix)
    return explain_ours(code)


@dataclass
class Reasons:
    """Gathers reasons over the parts of a run, with a few examples each."""

    operation: Operation
    rows: Counter[tuple[Fate, str]] = field(default_factory=Counter)
    examples: dict[tuple[Fate, str], list[Example]] = field(default_factory=dict)

    def add(self, closed: pa.Table, files: Sequence[str], customers: Callable[[list[int]], list[str | None]]) -> None:
        """`customers` gives the raw key of some places of the part; it is masked at once."""
        lines = reasons(closed)
        known = {reason: len(examples) for reason, examples in self.examples.items()}
        chosen = list(first_of_each(lines, known, EXAMPLES))
        for (fate, code, at), customer in zip(chosen, customers([at for _, _, at in chosen]), strict=True):
            file, line = closed.column("file")[at].as_py(), closed.column("line")[at].as_py()
            example = Example(files[file], line, mask(customer) if customer else "")
            self.examples.setdefault((fate, code), []).append(example)
        self.rows.update(count_reasons(lines))

    def told(self) -> tuple[Reason, ...]:
        """Fates in their order, most rows first within each."""
        order = list(Fate)
        ranked = sorted(self.rows.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
        return tuple(
            Reason(fate, code, rows, told.cause, told.fix, tuple(self.examples.get((fate, code), ())))
            for (fate, code), rows in ranked
            for told in (meaning(code, self.operation),)
        )
