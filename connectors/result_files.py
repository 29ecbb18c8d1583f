"""What became of each line of a file, for whoever sent it: one CSV per file, gathered from a run's results."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from connectors.results import write_text


def results_in_slices(folder: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """A run's results, part by part."""
    with pq.ParquetFile(folder / "results.parquet") as file:
        for place in range(file.num_row_groups):
            yield file.read_row_group(place, columns=list(columns), use_threads=False)


class ResultFiles:
    """Numbered files in a folder that is made for them; whoever asked for it takes it away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700)

    def path(self, number: int) -> Path:
        """Where a file lies."""
        return self._folder / f"{number}.csv"

    def write(self, number: int, rows: pa.Table, *, header: bool) -> None:
        """Begin a file with a header, or add lines to it."""
        if header:
            write_text(self.path(number), ",".join(rows.column_names) + "\n")
        with self.path(number).open("ab") as file:
            pyarrow.csv.write_csv(rows, file, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed"))
