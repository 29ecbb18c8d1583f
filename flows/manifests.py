"""What manifests say of rows and points, compared with what was read; before the first row is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import msgspec

from connectors.spool import Spool
from flows.drops import bad_files
from flows.prepare import PreparedRun
from flows.source import Source
from schemas.errors import SourceError
from schemas.taken import TakenFile
from transforms.manifests import added, broken_by_points, broken_by_rows, points_by_file


def check_counts(source: Source, spool: Spool, prepared: PreparedRun) -> None:
    """Do nothing when every file has the rows and points that its manifest says.

    Raises:
        BadFiles: some have not; all of them are told.
    """
    for name, taken in source.taken.items():
        if taken.limited:
            continue
        points = _points(spool, prepared) if any(file.points is not None for file in taken.files) else {}
        rows = [origin.rows for origin in prepared.origins if origin.table == name]
        bad = [
            (file, SourceError(*broken))
            for file in taken.files
            if (broken := [*_broken(file, rows, points, f"source.{name}: {file.uri}", leads=name == source.lead)])
        ]
        if bad:
            raise bad_files(name, bad)


def _broken(
    file: TakenFile, rows: list[int], points: Mapping[int, Mapping[str, int]], label: str, *, leads: bool
) -> Iterator[str]:
    yield from broken_by_rows(file.rows, sum(rows[place] for place in file.files), label)
    if file.points is not None and not leads:
        yield f"{label}: its manifest says points, which are summed over the leading table only; leave them out of it"
    elif file.points is not None:
        theirs = added([{0: points[place]} for place in file.files if place in points])
        yield from broken_by_points(file.points, theirs.get(0, {}), label)


def _points(spool: Spool, prepared: PreparedRun) -> Mapping[int, Mapping[str, int]]:
    """Points read, by file of the leading table and by programme."""

    def of_parts() -> Iterator[Mapping[int, Mapping[str, int]]]:
        for part in prepared.leading:
            names = [each for each in spool.names("prepared", part) if each.startswith(("points_", "programme_"))]
            yield points_by_file(spool.read("prepared", part, ["file", *names]))

    return added(of_parts())


def first_rows_of(source: Source, limit: int) -> Source:
    """The same source for a run that loads only its first rows: manifests do not hold, and no file is done with."""
    taken = {name: msgspec.structs.replace(each, limited=True) for name, each in source.taken.items()}
    note = f"Only the first {limit:,} rows are loaded: dropped files stay, and their manifests are not compared"
    told = (note,) if any(each.files for each in taken.values()) else ()
    return replace(source, taken=taken, notes=(*source.notes, *told))
