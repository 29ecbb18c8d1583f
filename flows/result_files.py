"""The result file of each dropped file: its lines with what became of them, written from the run's results."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.kinds import stem_of
from connectors.landing import shortened
from connectors.result_files import ResultFiles, results_in_slices
from connectors.results import RESULTS
from flows.prepare import PreparedRun
from flows.underway import Load
from schemas.taken import Taken, TakenFile
from transforms.result_files import READ, result_lines

NO_RESULTS = RESULTS.empty_table().select(READ)


def name_of(load: Load, file: TakenFile) -> str:
    """`result_20260301003000_customers.csv`: by the local time at which the run was started."""
    return f"result_{load.started:%Y%m%d%H%M%S}_{shortened(stem_of(file.name))}.csv"


@contextmanager
def result_files(load: Load, prepared: PreparedRun, drops: Mapping[str, Taken]) -> Iterator[Mapping[str, Path]]:
    """Result files by uri of the file, while they are needed; a joined table's rows have no fate, nor a result file."""
    folder = load.spool.folder / "result_files"
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    try:
        yield _written(load, prepared, drops, ResultFiles(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _written(load: Load, prepared: PreparedRun, drops: Mapping[str, Taken], results: ResultFiles) -> Mapping[str, Path]:
    files = [(name, *each) for name, taken in drops.items() for each in _members(load, name, taken)]
    operation = load.job.destination.operation
    for number, (_, _, members) in enumerate(files):  # a file may have no line but its header
        results.write(number, result_lines(NO_RESULTS, members, operation), header=True)
    for table, rows in _by_table(load, prepared):
        met = set(pc.unique(rows.column("file")).to_pylist())
        for number, (name, _, members) in enumerate(files):
            if name == table and not met.isdisjoint(members):
                results.write(number, result_lines(rows, members, operation), header=False)
    return {file.uri: results.path(number) for number, (_, file, _) in enumerate(files)}


def _by_table(load: Load, prepared: PreparedRun) -> Iterator[tuple[str, pa.Table]]:
    """The results, slice by slice: files of two tables may have one name, and the nested table's rows come last."""
    lead, left = load.source.lead, sum(part.end_row - part.first_row for part in prepared.leading)
    for rows in results_in_slices(load.spool.folder, READ):
        yield lead, rows.slice(0, left)
        yield load.source.nested, rows.slice(left)
        left = max(0, left - rows.num_rows)


def _members(load: Load, table: str, taken: Taken) -> Iterator[tuple[TakenFile, Mapping[str, str]]]:
    """Each file with what the results call it; or its members, with their names in the archive."""
    source = load.source
    if table not in (source.lead, source.nested):
        return
    names, paths = source.names(table), [each.path for each in source.tables[table].files]
    for file in taken.files:
        if len(file.files) == 1:
            yield file, {names[file.files[0]]: ""}
        else:
            yield file, {names[place]: paths[place].relative_to(file.path).as_posix() for place in file.files}
