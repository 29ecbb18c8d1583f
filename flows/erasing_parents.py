"""One customer goes out of the rows of others who name them as their parent."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from connectors.rewriting import Change, blank_cells, column_of
from connectors.spool import UNPACKED
from connectors.trace import RESULTS_FILE, of_rows
from flows.underway import Manifest
from transforms.forget import among, bare, blanked_in, without_parent

Rewrite = Callable[[Path, Change, pa.Array], None]


def erase_as_parent(
    folder: Path, manifest: Manifest, rows: pa.Array, rewrite: Rewrite, count: Callable[[Path, int], None]
) -> None:
    """Blank the parent of some rows of an ended run; prepared parts go last: by them the rows are found again."""
    _rejected(folder, manifest, rows, count)
    lead = next(iter(manifest.tables))
    for name in manifest.parents:
        table, place = manifest.places[name]
        gone = partial(blanked_in, columns=(str(place),))
        values = set[str]()
        for path in sorted((folder / "rows").glob(f"*{UNPACKED}")):
            where = _among(path, rows)
            holder = path if table == lead else folder / "joined" / table / f"{path.stem}.parquet"
            values |= bare(column_of(holder, str(place)).filter(where))
            rewrite(holder, gone, where)
        for path in sorted((folder / "joining" / table).glob("*.parquet")):
            rewrite(path, gone, among(column_of(path, str(place)), values))
    for path in sorted((folder / "prepared").glob("*.parquet")):
        rewrite(path, without_parent, _among(path, rows))


def _among(path: Path, rows: pa.Array) -> pa.Array:
    return pc.is_in(column_of(path, "row"), value_set=rows)


def _rejected(folder: Path, manifest: Manifest, rows: pa.Array, count: Callable[[Path, int], None]) -> None:
    if not (folder / RESULTS_FILE).exists():
        return
    lead = next(iter(manifest.tables))
    named = (manifest.places[name] for name in manifest.parents)
    places = frozenset(place for table, place in named if table == lead)
    origins = frozenset(_origins(of_rows(folder, rows.to_pylist())))
    for path in sorted(folder.glob("rejected*.csv")):
        count(path, blank_cells(path, lambda file, line: (file, line) in origins, places))


def _origins(found: pa.Table) -> Iterator[tuple[str, int]]:
    for row in found.select(["first_file", "first_line", "file", "line"]).to_pylist():
        yield (row["first_file"] or row["file"], row["first_line"] or row["line"])
