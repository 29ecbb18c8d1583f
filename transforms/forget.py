"""A customer goes out of a run's tables and reports; every row keeps its line, its fate and its points."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import unescape
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.forget import ERASED
from schemas.trace import Spelling, Wanted
from transforms.characters import EDGES
from transforms.kernels import words
from transforms.report import ENVIRONMENT
from transforms.trace import wanted_each

# What says where a row stood and what became of it. Whatever else a table has is the customer's, known here or not.
KEPT = words(
    "row file line fate codes batch attempt answered_at_utc parent siblings children several points size"
    " first_run first_file first_line first_fate _file _line code stands_for wave programme differs cluster to_be_sent"
)
_COUNTED = ("points_", "programme_", "withheld_")
Place = tuple[str, int]  # file and line, as reports tell them
# Whatever can stand between two values in a line of text, but not within an identifier.
_BETWEEN = re.compile(r"[^\w@.+\-/()' ]+")
_CODECS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")


def blanked(table: pa.Table, where: pa.Array) -> pa.Table:
    """The table with nothing of a customer left in some rows (`where`, bool)."""
    if not pc.any(where).as_py():
        return table
    # Taken, not masked: under a mask the bytes would still be there.
    rows = pa.array(np.arange(table.num_rows), mask=where.to_numpy(zero_copy_only=False))
    columns = [
        table.column(name) if name in KEPT or name.startswith(_COUNTED) else table.column(name).take(rows)
        for name in table.column_names
    ]
    return pa.table(columns, schema=table.schema)


def blanked_in(table: pa.Table, where: pa.Array, columns: Collection[str]) -> pa.Table:
    """The table with nothing left in some columns of some rows (`where`, bool)."""
    bare_ = blanked(table, where)
    names = [name for name in table.column_names if name in columns]
    return pa.table(
        [(bare_ if name in names else table).column(name) for name in table.column_names], schema=table.schema
    )


def without_parent(prepared: pa.Table, where: pa.Array) -> pa.Table:
    """A prepared part with some rows that name nobody as their parent any more, nor have a payload."""
    bare_ = blanked_in(prepared, where, ("payload", "parent_key", "relatives"))
    place = bare_.schema.get_field_index("relatives")
    field = bare_.schema.field(place)
    return bare_.set_column(place, field, pc.coalesce(bare_.column(place), pa.scalar([], field.type)))


def emptied(unreadable: pa.Table, where: pa.Array) -> pa.Table:
    """Lines that are no rows, without what stands in some of them."""
    place = unreadable.schema.get_field_index("raw")
    return unreadable.set_column(
        place, unreadable.schema.field(place), pc.if_else(where, b"", unreadable.column(place))
    )


def cut(table: pa.Table, where: pa.Array) -> pa.Table:
    """The table without some rows."""
    return table.filter(pc.invert(where))


def marked(rows: pa.Array, length: int) -> pa.Array:
    """Which places of a table are among these rows (bool)."""
    mask = np.zeros(length, dtype=bool)
    mask[rows.to_numpy()] = True
    return pa.array(mask)


def without_customer(
    prepared: pa.Table, where: pa.Array, theirs: pa.Array, fates: Mapping[int, tuple[str, str | None]]
) -> pa.Table:
    """A prepared part without a customer: of their own rows nothing is left, of those they are a child in no payload.

    Their rows have the `fates` that settling gave them: nothing is left to settle them by. They have no identifiers
    either, which in prepared rows are never null.
    """
    bare_ = blanked(prepared, theirs)
    rows = prepared.column("row").to_pylist()
    told = [fates.get(row, (None, None)) for row in rows]
    new = {
        "fate": pc.coalesce(pa.array([fate for fate, _ in told], pa.string()), bare_.column("fate")),
        "codes": pc.coalesce(pa.array([codes for _, codes in told], pa.string()), bare_.column("codes")),
        "payload": pc.if_else(where, pa.scalar(None, bare_.schema.field("payload").type), bare_.column("payload")),
    }
    for name, values in new.items():
        place = bare_.schema.get_field_index(name)
        bare_ = bare_.set_column(place, bare_.schema.field(place), values)
    return _with_lists(bare_)


def _with_lists(prepared: pa.Table) -> pa.Table:
    place = prepared.schema.get_field_index("identifiers")
    if place < 0:
        return prepared
    field = prepared.schema.field(place)
    return prepared.set_column(place, field, pc.coalesce(prepared.column(place), pa.scalar([], field.type)))


def bare(values: pa.Array) -> set[str]:
    """What tables are joined by, of some rows."""
    return set(pc.utf8_trim(values, characters=EDGES).unique().drop_null().to_pylist()) - {""}


def among(values: pa.Array, texts: Collection[str]) -> pa.Array:
    """Which rows are joined by one of these (bool, never null)."""
    trimmed = pc.utf8_trim(values, characters=EDGES)
    return pc.is_in(trimmed, value_set=pa.array(sorted(texts), pa.string()))


def holding(raw: Sequence[bytes], customer: Wanted, spellings: Iterable[Spelling], salt: bytes) -> list[bool]:
    """Which lines that are no rows hold an identifier of the customer, in whatever spelling and encoding."""
    texts: list[str] = []
    line_of: list[int] = []
    for number, line in enumerate(raw):
        found = {text.strip() for codec in _CODECS for text in _BETWEEN.split(line.decode(codec, "ignore"))}
        texts += sorted(found - {""})
        line_of += [number] * (len(texts) - len(line_of))
    held = {line_of[place] for spelling in spellings for place in wanted_each(texts, customer, spelling, salt)}
    return [number in held for number in range(len(raw))]


def erased_html(report: str, places: Collection[Place]) -> str:
    """The report without the masked customers of some lines, and without what clusters of theirs share."""

    def customer(found: re.Match[str]) -> str:
        return _erased(found) if _place(found["place"]) in places else found[0]

    def cluster(found: re.Match[str]) -> str:
        theirs = any(_place(place) in places for place in re.findall(r'<span class="place">([^<]*:\d+)<', found[0]))
        return re.sub(r'class="shared"><span class="who">(?P<who>[^<]*)<', _erased, found[0]) if theirs else found[0]

    report = re.sub(r'<tr role="row">.*?</tr>', cluster, report, flags=re.DOTALL)
    for shown in (
        r'<span class="place">(?P<place>[^<]*:\d+)</span> <span class="who">(?P<who>[^<]*)<',
        r'<span class="who">(?P<who>[^<]*)</span><span class="place">(?P<place>[^<]*<wbr>:\d+)<',
    ):
        report = re.sub(shown, customer, report)
    return report


def _place(shown: str) -> Place:
    file, _, line = unescape(shown.replace("<wbr>", "")).rpartition(":")
    return file, int(line)


def _erased(found: re.Match[str]) -> str:
    start, end = (at - found.start() for at in found.span("who"))
    return found[0][:start] + ERASED + found[0][end:]


def erased_markdown(report: str, places: Iterable[Place]) -> str:
    """As `erased_html`."""
    cell = ENVIRONMENT.filters["cell"]
    for file, line in places:
        place = re.escape(cell(f"{file}:{line}"))
        report = re.sub(rf"(?m)^(\| \d+ \| )(.*?)( \| [\d,]+ \| [\d,]+ \| (?:.*>)?{place} )", _without_shared, report)
        report = re.sub(rf"(?<=[ >])({place}) (?!\|).*?(?=<br>| \|)", rf"\1 {ERASED}", report)
        report = re.sub(rf"(?m)^\| (?:\\.|[^|\\\n])* (?=\| {place} \|)", f"| {ERASED} ", report)
    return report


def _without_shared(found: re.Match[str]) -> str:
    shared = "<br>".join(f"{one.partition(' ')[0]} {ERASED}" for one in found[2].split("<br>"))
    return f"{found[1]}{shared}{found[3]}"


def erased_json(told: Any, places: Collection[Place]) -> Any:
    """The same without the masked customer wherever an entry names one of these lines, and what clusters share."""
    if isinstance(told, list):
        return [erased_json(one, places) for one in told]
    if not isinstance(told, dict):
        return told
    whole = {name: erased_json(one, places) for name, one in told.items()}
    if "customer" in told and _names(told, places):
        whole["customer"] = ERASED
    members = [*told.get("members", ()), *told.get("lines", ())] if "shared" in told else []
    if any(_names(one, places) for one in members):
        whole["shared"] = [one | {"value": ERASED} for one in told["shared"]]
    return whole


def _names(one: Any, places: Collection[Place]) -> bool:
    """Whether an entry, or a "file:line", is of one of these lines."""
    if isinstance(one, dict):
        return (one.get("file"), one.get("line")) in places
    file, _, line = str(one).rpartition(":")
    return line.isdecimal() and (file, int(line)) in places


def others_identifiers(rows: pa.Table, theirs: pa.Array) -> frozenset[int]:
    """The identifiers of those rows that have a key and are not theirs (`theirs`, bool)."""
    others = rows.filter(pc.and_(pc.invert(theirs), rows.column("key").is_valid()))
    return frozenset(pc.list_flatten(others.column("identifiers")).to_pylist())
