"""What changed: payloads against what the API accepted last, credits against what was credited before."""

from hashlib import blake2b
from itertools import count, takewhile

import duckdb
import pyarrow as pa

from transforms.credits import Fleeting, without_points

DIGEST_BYTES = 16

_PLANNED = """
    planned as (select * from prepared anti join dropped using (row) where fate is null)
"""
# What a row would credit that was credited before, or may have been, under the same statement; where the job knows no
# statements, under any. Two enrolments of one programme are one credit, which the first of them stands for; in memory
# an empty programme stands for all.
_CREDITED = """
    select planned.row, {n} as place, programme_{n} as programme, credited.fate = 'in_doubt' as doubtful,
           coalesce(credited.points <> {points}, false) as differs
    from planned join credited on credited.key = planned.key
         and (planned.statement is null or credited.statement = planned.statement)
         and credited.programme in (programme_{n}, '')
    where {counts}
"""
# Credited before the job knew statements, and under none since: whether this statement is that credit, nobody can tell.
_UNSTATED = """
    select planned.row
    from planned join credited on credited.key = planned.key and credited.programme in (programme_{n}, '')
    where {counts} and planned.statement is not null
    group by planned.row having bool_and(credited.statement = ''::blob)
"""
_IS_UNSTATED = """
    select row, 'invalid' as fate, 'points.credited_without_statement' as code, null::bigint as stands_for
    from found order by row
"""
_NOTHING = "select null::bigint as row, 0 as place, '' as programme, false as doubtful, false as differs where false"
# Ledgers of version 2 remember payloads with their points, which are compared as such.
_SAME = """
    coalesce(accepted.fate <> 'in_doubt' and accepted.digest in (planned.digest, planned.whole_digest), false)
"""
_PAID = """
    paid as (select row, bit_or(1 << place) as places, bool_or(doubtful) as doubtful, bool_or(differs) as differs
             from (select row, place, bool_or(doubtful) as doubtful, bool_and(differs) as differs
                   from known group by row, place)
             group by row)
"""
# Who would be sent as the API has them already is not older than that; whose credit is in doubt is told so.
_OVERTAKEN = """
    with {planned}, {paid},
    judged as (
        select planned.row,
               case when {places} <> coalesce(paid.places, 0) then 'points.newer_run'
                    when paid.differs then 'points.differ_from_credited'
                    else 'duplicates.newer_run' end as code
        from planned semi join newer on newer.key = planned.key
        left join accepted on accepted.key = planned.key
        left join paid on paid.row = planned.row
        where coalesce(accepted.digest not in (planned.digest, planned.whole_digest), true)
              and not coalesce(paid.doubtful, false)
    )
    select row, if(code = 'duplicates.newer_run', 'duplicate', 'invalid') as fate, code, null::bigint as stands_for
    from judged order by row
"""
_LEFT_OUT = """
    with {planned}, {paid},
    judged as (
        select planned.row,
               {same} and {places} = coalesce(paid.places, 0) and again.row is null as nothing_new,
               case when forgotten.key is not null then 'customer.forgotten'
                    when paid.doubtful then 'in_doubt.earlier_run'
                    when nothing_new and paid.differs then 'points.differ_from_credited'
                    when nothing_new then 'unchanged'
                    when {refused} then 'refused.earlier_run' end as why
        from planned
        left join accepted on accepted.key = planned.key
        left join paid on paid.row = planned.row
        left join forgotten on forgotten.key = planned.key
        left join refused on refused.key = planned.key
        left join ({again}) as again on again.row = planned.row
    )
    select row,
           case why when 'in_doubt.earlier_run' then 'in_doubt'
                    when 'unchanged' then 'unchanged'
                    when 'refused.earlier_run' then 'refused'
                    else 'invalid' end as fate,
           nullif(why, 'unchanged') as code,
           null::bigint as stands_for
    from judged where why is not null
"""
# A child goes again in its parent's payload only.
_OF_REFUSED_CHILDREN = "select distinct lead_row as row from sent_before where fate = 'refused'"
_REFUSED_BEFORE = "coalesce(planned.whole_digest, planned.digest) = refused.digest"
_WITHHELD = """
    select known.row, programme, bool_and(differs) as differs
    from known semi join (select row from prepared anti join dropped using (row) where fate is null) as planned
         using (row)
    group by known.row, programme order by known.row, programme
"""
_TOUCHED = """
    with {planned},
    theirs as (select unnest(identifiers) as identifier from planned{mentioned}),
    known as (select * from accepted union all select * from known_children where len(identifiers) > 0),
    held as (select key, unnest(identifiers) as identifier from known),
    touched as (select key from planned union select key from held semi join theirs using (identifier))
    select known.* from known semi join touched using (key)
"""
_MENTIONED = " union all select unnest(mentions.identifiers) from mentions semi join planned using (row)"
# Whoever has nothing new was compared already.
_CHANGED = """
    with planned as (
        select row, key, digest, whole_digest from prepared
        anti join (from dropped where fate not in ('in_doubt', 'refused')) as settled using (row) where fate is null
    ),
    same as (select count(*) as rows from dropped where fate = 'unchanged' or code = 'points.differ_from_credited'),
    others as (select count(*) as rows, count(*) filter (not {same}) as changed
               from planned join accepted on accepted.key = planned.key and accepted.fate <> 'in_doubt')
    select same.rows + others.rows, others.changed from same, others
"""


def digests(payloads: pa.Array | pa.ChunkedArray, salt: bytes) -> pa.Array:
    """A keyed digest per payload, null where there is none: the ledger may know that a customer changed, not how.

    Members keep their order, so equal customers are equal.
    """
    return _digested(payloads.to_pylist(), salt)


def _digested(payloads: list[bytes | None], salt: bytes) -> pa.Array:
    keyed = blake2b(key=salt, digest_size=DIGEST_BYTES)  # a copy of it costs less than keying each anew
    made: list[bytes | None] = []
    for payload in payloads:
        if payload is None:
            made.append(None)
            continue
        one = keyed.copy()
        one.update(payload)
        made.append(one.digest())
    return pa.array(made, pa.binary(DIGEST_BYTES))


def credit_digests(
    payloads: pa.Array, statements: pa.Array, told_for_points: Fleeting, salt: bytes
) -> tuple[pa.Array, pa.Array]:
    """The `digests` of payloads without their points, and those of the whole payloads with their statement.

    The second is null where the payload tells nothing of points: it would be the first.
    """
    whole = payloads.to_pylist()
    bare = [payload and without_points(payload, told_for_points) for payload in whole]
    told = [
        None if payload is None or len(payload) == len(short) else payload + (statement or b"")
        for payload, short, statement in zip(whole, bare, statements.to_pylist(), strict=True)
    ]
    return _digested(bare, salt), _digested(told, salt)


def credited_before(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Credits of rows that were sent before, or may have been: `row, place, programme, doubtful, differs`.

    `place` is the enrolment's in the mapping; `differs`: they were of another amount. `prepared` has `row, key,
    statement, fate` and its credits; its database has the views `dropped` and `credited`.
    """
    found = (
        _CREDITED.format(n=n, points=_points_of(n, places), counts=_counts(n))
        for places in [_places(prepared)]
        for n in range(places)
    )
    return _asked(prepared, f"with {_PLANNED} {' union all '.join(found) or _NOTHING}")


def unstated(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Rows with points of a statement whose customer was credited without any, and under none since.

    `row, fate, code, stands_for`, by row; a person who retries them says that they are other credits. As
    `credited_before`.
    """
    found = " union ".join(_UNSTATED.format(n=n, counts=_counts(n)) for n in range(_places(prepared)))
    return _asked(
        prepared, f"with {_PLANNED}, found as ({found or 'select null::bigint as row where false'}) {_IS_UNSTATED}"
    )


def _places(prepared: duckdb.DuckDBPyRelation) -> int:
    return len(list(takewhile(lambda n: f"points_{n}" in prepared.columns, count())))


def _counts(n: int) -> str:
    """Whether a row's enrolment is a credit of its own."""
    others = (f" and not (points_{m} <> 0 and programme_{m} = programme_{n})" for m in range(n))
    return f"points_{n} <> 0{''.join(others)}"


def _points_of(n: int, places: int) -> str:
    """All that a row credits in an enrolment's programme."""
    return " + ".join(f"if(programme_{m} = programme_{n}, points_{m}, 0)" for m in range(places))


def overtaken(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Rows that would undo what a later run loaded: `row, fate, code, stands_for`, by row.

    The later run's row stands for such a row; but for points that were credited nowhere nobody does.

    `prepared` as of `left_out`; its database has the views `dropped`, `known` (what `credited_before` found),
    `accepted`, and `newer` (`key`: whom later runs loaded, or may have).
    """
    return _asked(prepared, _OVERTAKEN, planned=_PLANNED, paid=_PAID, places=_all_places(prepared))


def left_out(
    prepared: duckdb.DuckDBPyRelation, refused_again: bool, *, with_children: bool = False
) -> duckdb.DuckDBPyRelation:
    """What is not sent, or not sent again: `row, fate, code, stands_for`, in no order; that may be nearly all rows.

    Unchanged is the same payload as the last one accepted, points aside, where all of its credits were sent before.
    With a credit in doubt the row is in doubt. What the API refused last is sent again only if asked
    (`refused_again`), `with_children` also the parents of refused children; whoever is to be forgotten never is.

    `prepared` has `row, key, digest, whole_digest, fate` and its credits; its database has the views `dropped`, `known`
    (what `credited_before` found), and `accepted`, `refused` and `forgotten` as the ledger remembers them. For
    `with_children` it is one that `kinship.read_kinship` has read.
    """
    again = _OF_REFUSED_CHILDREN if refused_again and with_children else "select 0 as row where false"
    refused = "false" if refused_again else _REFUSED_BEFORE
    parts = {"planned": _PLANNED, "paid": _PAID, "same": _SAME, "refused": refused, "again": again}
    return _asked(prepared, _LEFT_OUT, **parts, places=_all_places(prepared))


def _all_places(prepared: duckdb.DuckDBPyRelation) -> str:
    """The places of a row's credits, a bit each."""
    return f"({' + '.join(['0', *(f'if({_counts(n)}, {1 << n}, 0)' for n in range(_places(prepared)))])})"


def withheld(prepared: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The credits that rows to be sent go without, as they were sent before: `row, programme, differs`, by row."""
    return _asked(prepared, _WITHHELD)


def touched(prepared: duckdb.DuckDBPyRelation, *, with_mentions: bool = False) -> duckdb.DuckDBPyRelation:
    """What is remembered of the customers of rows to be sent, and of others who share an identifier with them.

    Of others are also children, as the view `known_children` has them. `with_mentions`: or with children and parents
    in the payloads of these rows, as the view `mentions` has them.
    """
    return _asked(prepared, _TOUCHED, planned=_PLANNED, mentioned=_MENTIONED if with_mentions else "")


def count_changed(prepared: duckdb.DuckDBPyRelation) -> tuple[int, int]:
    """Rows of customers that are remembered, and how many of them are not as they were; call it after `left_out`."""
    known, changed = _asked(prepared, _CHANGED, same=_SAME).fetchall()[0]
    return int(known), int(changed)


def _asked(prepared: duckdb.DuckDBPyRelation, question: str, **parts: str) -> duckdb.DuckDBPyRelation:
    found = prepared.query("prepared", question.format(**parts))
    assert found is not None
    return found
