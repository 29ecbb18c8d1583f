"""What manifests say of rows and points, compared with what was read; before the first row is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from connectors.spool import Spool
from flows.drops import bad_files
from flows.prepare import PreparedRun
from flows.source import Source
from schemas.errors import SourceError
from schemas.job import Job
from schemas.taken import TakenFile
from transforms.manifests import added, broken_by_points, broken_by_rows, points_by_file


def check_counts(source: Source, spool: Spool, prepared: PreparedRun) -> None:
    """Do nothing when every file has the rows and points that its manifest says.

    Raises:
        BadFiles: some have not; all of them are told.
    """
    for name, taken in source.taken.items() if not prepared.limited else ():
        points = _points(spool, prepared) if any(file.points is not None for file in taken.files) else {}
        rows = [origin.rows for origin in prepared.origins if origin.table == name]
        bad = [
            (file, SourceError(*broken))
            for file in taken.files
            if (broken := [*_broken(file, rows, points, f"source.{name}: {file.uri}", leads=name == source.lead)])
        ]
        if bad:
            raise bad_files(name, bad, taken.files)


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


def limit_told(job: Job, source: Source, limit: int) -> Source:
    """The same source; where files are dropped, with a note on what a run of its first rows leaves undone."""
    if not any(job.source[name].is_drop for name in source.taken):
        return source
    note = f"Only the first {limit:,} rows are loaded: dropped files stay, and their manifests are not compared"
    return replace(source, notes=(*source.notes, note))
