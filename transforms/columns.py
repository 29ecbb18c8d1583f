"""Which table a column's name means: plain names where only one table has it, else `table.column`."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

from schemas.errors import SourceError, raise_all

Place = tuple[str, int]  # table, place of the column in it


def resolve(
    wanted: Iterable[tuple[str, str]],
    tables: Mapping[str, tuple[str, ...]],
    keys: Mapping[str, str],
    where: str = "the source",
) -> dict[str, Place]:
    """Find each wanted column; `wanted` pairs a name with who asks for it ("map.firstName").

    `keys` names the column by which a table joins: its plain name means the leading table's. `where` is what the
    tables are called.

    Raises:
        SourceError: all that are missing or stand in several tables, with the nearest names.
    """
    asked = dict[str, list[str]]()
    for name, asker in wanted:
        asked.setdefault(name, []).append(asker)
    places = {name: _places(name, tables, keys) for name in asked}
    raise_all(SourceError, _problems(asked, places, tables, where))
    return {name: found[0] for name, found in places.items()}


def _places(name: str, tables: Mapping[str, tuple[str, ...]], keys: Mapping[str, str]) -> list[Place]:
    plain = [
        (table, columns.index(name)) for table, columns in tables.items() if name in columns and keys.get(table) != name
    ]
    if plain:
        return plain
    table, _, column = name.partition(".")
    return [(table, tables[table].index(column))] if column in tables.get(table, ()) else []


def _problems(
    asked: Mapping[str, list[str]],
    places: Mapping[str, list[Place]],
    tables: Mapping[str, tuple[str, ...]],
    where: str,
) -> Iterator[str]:
    every = [column for columns in tables.values() for column in columns]
    for name, found in places.items():
        who = ", ".join(dict.fromkeys(asked[name]))
        if len(found) > 1:
            choices = " or ".join(f"{table}.{name}" for table, _ in found)
            yield f"{who}: column {name!r} stands in several tables; write {choices}"
        elif not found:
            # A joined table's key has the name and is not meant: its plain name is the leading table's.
            near = difflib.get_close_matches(name, [column for column in every if column != name], n=1, cutoff=0.5)
            hint = f"; nearest is {near[0]!r}" if near else ""
            yield f"{who}: {where} has no column {name!r}{hint}; it has: {', '.join(every)}"
