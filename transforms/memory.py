"""What a closed part leaves for later runs to know."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import CodeClass, Operation, explain
from schemas.memory import ACCEPTED_SENT, CHILDREN_SENT, CREDITED, IDENTIFIERS, NO_STATEMENT, REFUSED_SENT, Remembered
from schemas.outcomes import Fate

_KNOWN = pa.array([*(fate.value for fate in Fate if fate.applied), Fate.IN_DOUBT.value])


def remembered(closed: pa.Table, operation: Operation) -> Remembered:
    """Of the rows that this run sent: what the API has, or may have, what it refused, and what it credited.

    What an earlier run left in doubt or had refused is that run's to remember; what the API puts off it has not refused
    for good.
    """
    known, refused = _known_and_refused(closed, operation)
    whole = pc.coalesce(refused.column("whole_digest"), refused.column("digest"))
    refused = refused.set_column(refused.schema.get_field_index("digest"), "digest", whole)
    credited = [CREDITED.empty_table(), *_credited(known)]
    return Remembered(
        known.select(ACCEPTED_SENT.names).cast(ACCEPTED_SENT),
        refused.select(REFUSED_SENT.names).cast(REFUSED_SENT),
        pa.concat_tables(credited)
        .group_by(["key", "programme", "statement", "fate"])
        .aggregate([("points", "sum")])
        .rename_columns({"points_sum": "points"})
        .select(CREDITED.names),
    )


def met_again(closed: pa.Table) -> pa.Table:
    """Customers who are as the API accepted them, which it therefore has by these identifiers: `key, identifiers`."""
    same = pc.and_(pc.equal(closed.column("fate"), Fate.UNCHANGED.value), closed.column("identifiers").is_valid())
    return closed.filter(pc.and_(same, closed.column("key").is_valid())).select(["key", "identifiers"])


def remembered_children(closed: pa.Table, keyed: pa.Array, with_parent: pa.Array, operation: Operation) -> Remembered:
    """As `remembered`, of children; what their parents' payloads hold is remembered with the parents besides.

    `keyed` (bool): an identifier of the key's type told who the child is. The identifiers of others are not kept: a
    customer who has one of them later may be the very same person, whom the API would find and not merge.
    `with_parent` (bool): the parent was refused too, so the child never was for its own sake.
    """
    told = closed.append_column("keyed", keyed).append_column("with_parent", with_parent)
    known, refused = _known_and_refused(told, operation)
    refused = refused.filter(pc.invert(refused.column("with_parent")))
    none = pa.scalar([], IDENTIFIERS)
    theirs = pc.if_else(known.column("keyed"), known.column("identifiers"), none)
    return Remembered(
        ACCEPTED_SENT.empty_table(),
        REFUSED_SENT.empty_table(),
        CREDITED.empty_table(),
        pa.concat_tables([_children(known, theirs), _children(refused, pa.nulls(refused.num_rows, IDENTIFIERS))]),
    )


def _children(sent: pa.Table, identifiers: pa.Array) -> pa.Table:
    place = sent.schema.get_field_index("identifiers")
    return sent.set_column(place, "identifiers", identifiers).select(CHILDREN_SENT.names).cast(CHILDREN_SENT)


def _known_and_refused(closed: pa.Table, operation: Operation) -> tuple[pa.Table, pa.Table]:
    # Who was forgotten since it was sent has no key any more.
    sent = closed.filter(pc.and_(closed.column("batch").is_valid(), closed.column("key").is_valid()))
    known = sent.filter(pc.is_in(sent.column("fate"), value_set=_KNOWN))
    refused = sent.filter(pc.equal(sent.column("fate"), Fate.REFUSED.value))
    return known, refused.filter(pc.invert(pc.is_in(refused.column("codes"), value_set=_put_off(refused, operation))))


def _put_off(refused: pa.Table, operation: Operation) -> pa.Array:
    """Codes by which the API asks for another time."""
    told = [codes for codes in pc.unique(refused.column("codes")).to_pylist() if codes]
    later = (codes for codes in told if any(_is_later(code, operation) for code in codes.split(";")))
    return pa.array(list(later), pa.string())


def _is_later(code: str, operation: Operation) -> bool:
    return code[:1].isdigit() and explain(code, operation).as_error is CodeClass.RETRY


def _credited(known: pa.Table) -> Iterator[pa.Table]:
    """Points of each programme; an applied row has them, whatever it lost besides."""
    in_doubt = pc.equal(known.column("fate"), Fate.IN_DOUBT.value)
    fate = pc.if_else(in_doubt, Fate.IN_DOUBT.value, Fate.ACCEPTED.value)
    statement = pc.fill_null(known.column("statement").cast(pa.binary()), NO_STATEMENT)
    for name in known.column_names:
        if name.startswith("points_"):
            programme = known.column(name.replace("points_", "programme_"))
            columns = [known.column("key"), programme, statement, known.column(name), fate]
            credits = pa.table(columns, schema=CREDITED)
            yield credits.filter(pc.not_equal(credits.column("points"), 0))
