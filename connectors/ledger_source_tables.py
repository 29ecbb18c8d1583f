"""What the ledger keeps of sources from run to run: how far a query was read, and which files were loaded.

`job` is what a job remembers under (`Job.memory`), `source` the table's name in its job file.
"""

import sqlalchemy as sa

from connectors.ledger_tables import metadata

watermarks = sa.Table(
    "watermarks",
    metadata,
    # The last one counts; those before it are kept, to see how it moved.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), primary_key=True),
    sa.Column("column", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),  # ISO or digits, as `schemas.watermarks` writes its kind
    # A query that reads other rows, or a result of other columns, has not been read up to here.
    sa.Column("query_sha256", sa.Text, nullable=False),
    sa.Column("columns_sha256", sa.Text, nullable=False),
    sa.Column("moved_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

loaded_files = sa.Table(
    "loaded_files",
    metadata,
    # The key is the rule: a dropped file is loaded once, wherever it lay and whatever it was called.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),  # of its bytes as they lay there
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    sa.Column("loaded_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
