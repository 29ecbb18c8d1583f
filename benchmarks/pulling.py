"""Pulls a table of 20 columns from a PostgreSQL of its own: our reading, and pandas in chunks, by turns.

    python -m benchmarks.pulling [--rows 2000000] [--rounds 2]

Each way runs in a fresh process that reads every row once; memory is that process's, the server's is not in it.
"""

# ruff: noqa: PLC0415 - each process loads only what it measures: memory counts

import flows.arrow_memory  # noqa: F401  # as the command line does, before Arrow is imported

# isort: split
import argparse
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.measures import peak_mb, spent

ROOT = Path(__file__).resolve().parent.parent
CHUNK_ROWS = 50_000
QUERY = "select * from customers"
TABLE = """
create table customers as select
  n as customer_id, 'M' || lpad(n::text, 9, '0') as member_no, 'first' || n % 1000 as first_name,
  'last' || n % 5000 as last_name, 'c' || n || '@example.org' as email, '+9198' || lpad(n::text, 8, '0') as mobile,
  date '1950-01-01' + n % 20000 as born, case n % 3 when 0 then 'm' when 1 then 'f' end as gender,
  case n % 4 when 0 then 'gold' when 1 then 'silver' else 'blue' end as tier, (n * 7 % 100000)::bigint as points,
  (n % 1000000 / 100.0)::numeric(14, 2) as spend, timestamptz '2020-01-01' + n * interval '11 seconds' as joined_at,
  timestamptz '2024-01-01' + n * interval '1.5 seconds' as updated_at, n % 2 = 0 as consent,
  'street ' || n % 777 as address, 'city' || n % 300 as city, lpad((n % 1000000)::text, 6, '0') as postcode,
  json_build_object('store', n % 50, 'till', n % 9)::jsonb as extra, array['a' || n % 5, 'b'] as tags,
  md5(n::text)::uuid as token
from generate_series(1, {rows}) n
"""


def ours(url: str) -> int:
    """As a run does: every value as text, in batches."""
    from connectors.warehouse import open_query

    with ExitStack() as stack:
        query = open_query(url, QUERY, None, "customers", "source.customers", stack, folder=ROOT)
        return sum(batch.rows.num_rows for batch in query.reading.batches())


def pandas_streamed(url: str) -> int:
    return _pandas(url, stream_results=True)


def pandas_default(url: str) -> int:
    """Chunks alone: the driver fetches the whole result first."""
    return _pandas(url, stream_results=False)


def _pandas(url: str, *, stream_results: bool) -> int:
    import pandas as pd
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as connection:
        options = {"stream_results": True, "max_row_buffer": CHUNK_ROWS} if stream_results else {}
        chunks = pd.read_sql(text(QUERY), connection.execution_options(**options), chunksize=CHUNK_ROWS)
        return sum(len(chunk) for chunk in chunks)


WAYS: dict[str, Callable[[str], int]] = {
    "ours": ours,
    "pandas_streamed": pandas_streamed,
    "pandas_default": pandas_default,
}


def pulled(rows: int, rounds: int = 2) -> dict[str, Any]:
    """Medians of the rounds for each way; nothing where there is no PostgreSQL."""
    from tests.servers import postgresql_initdb, postgresql_server

    if postgresql_initdb() is None:
        print("  pull: no PostgreSQL here, left out", file=sys.stderr)
        return {}
    told: dict[str, list[dict[str, float]]] = defaultdict(list)
    with postgresql_server("max_wal_size=4GB") as server:
        url = server.url("postgresql", "postgres")
        _make(url, rows)
        for number in range(rounds):
            for way in WAYS:
                print(f"  pull, {way}, round {number + 1} …", file=sys.stderr, flush=True)
                told[way].append(_measured(way, url))
    return {way: _median(figures) for way, figures in told.items()}


def _make(url: str, rows: int) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLE.format(rows=rows))
        connection.execute("vacuum analyze customers")  # else the first way would pay for it


def _measured(way: str, url: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.pulling", way, url]
    return dict(json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout))


def _median(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in figures) for name in figures[0]}


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        way, url = sys.argv[1:]
        print(json.dumps(spent(lambda: WAYS[way](url)) | {"peak_mb": peak_mb()}))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="for bench.py")
    given = parser.parse_args()
    found = pulled(given.rows, given.rounds)
    if given.json:
        print(json.dumps(found))
        return
    for way, figures in found.items():
        print(f"{way:<18}{figures['per_s']:>12,.0f} rows/s{figures['per_cpu_s']:>12,.0f} rows/CPU-s"
              f"{figures['peak_mb']:>8,.0f} MB")  # fmt: skip


if __name__ == "__main__":
    main()
