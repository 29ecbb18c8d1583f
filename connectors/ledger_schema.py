"""The ledger's version: tables are made, and those of an earlier version get what they lack."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from connectors import ledger_memory_tables, ledger_source_tables  # noqa: F401  # their tables are the ledger's too
from connectors.ledger_tables import ledger_schema, metadata
from schemas.errors import WrongInput

SCHEMA_VERSION = 4
# What each version added to tables that were there before it; tables that are new are simply made.
ADDED = {
    2: ("alter table runs add column caller TEXT", "alter table runs add column retry_of TEXT"),
    3: (
        # Version 2 knew only that a customer had been credited: once, whatever the programme. They were, and must not
        # be credited again: for them the empty statement of every programme is used up, with an amount nobody knows.
        """
        insert into credits (job, key_hash, programme, statement_hash, points, fate, run_no)
        select job, key_hash, '', x'', null, case fate when 'in_doubt' then fate else 'accepted' end, run_no
        from accepted where points
        """,
        "alter table accepted drop column points",
        "alter table accepted add column identifiers BLOB",
        str(sa.schema.CreateIndex(ledger_memory_tables.WITHOUT_IDENTIFIERS).compile(dialect=sqlite.dialect())),
    ),
    4: (),
}


def upgrade(connection: sa.Connection, path: Path) -> None:
    """Bring the ledger to this version, in the caller's transaction: wholly or not at all.

    Raises:
        WrongInput: it is of a newer version, which this one would damage.
    """
    ledger_schema.create(connection, checkfirst=True)
    version = connection.scalar(sa.select(ledger_schema.c.version)) or 0
    if version > SCHEMA_VERSION:
        newer = f"{path}: is of a newer bulkload (ledger schema {version}, this one reads {SCHEMA_VERSION})"
        raise WrongInput(f"{newer}; install that one, or choose another --home")
    if version == SCHEMA_VERSION:
        return
    metadata.create_all(connection)
    if version == 0:
        connection.execute(sa.insert(ledger_schema), {"version": SCHEMA_VERSION})
    else:
        for number in range(version + 1, SCHEMA_VERSION + 1):
            for statement in ADDED[number]:
                connection.exec_driver_sql(statement)
        connection.execute(sa.update(ledger_schema), {"version": SCHEMA_VERSION})
