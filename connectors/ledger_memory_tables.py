"""What the ledger keeps of customers from run to run; `job` is what a job remembers them under (`Job.memory`).

No personal data is in it: customers, statements and identifiers are keyed hashes, payloads are keyed digests.
"""

import sqlalchemy as sa

from connectors.ledger_tables import metadata, one_of
from schemas.outcomes import Fate

accepted = sa.Table(
    "accepted",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("payload_digest", sa.LargeBinary, nullable=False),  # without its points
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    # In doubt: the API has this payload or the one before, and nobody knows which. Refused: this payload was in doubt
    # and turned out not to be applied; the customer's identifiers are all that is known.
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("accepted_at_us", sa.BigInteger, nullable=False),  # when it was sent
    # Every one that was ever sent, some twice: uint64, little-endian; null: of an earlier version.
    sa.Column("identifiers", sa.LargeBinary),
    one_of("fate", (Fate.ACCEPTED, Fate.REFUSED, Fate.ACCEPTED_WITH_LOSS, Fate.IN_DOUBT)),
    sqlite_with_rowid=False,
)

# As long as nobody is without them, it is empty and costs nothing.
WITHOUT_IDENTIFIERS = sa.Index(
    "accepted_without_identifiers", accepted.c.job, sqlite_where=accepted.c.identifiers.is_(None)
)

children = sa.Table(
    "children",
    metadata,
    # Beside `accepted`, where the same customer may be by a row of its own: its payload is another than its element.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("payload_digest", sa.LargeBinary, nullable=False),  # of its element in its parent's payload
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("sent_at_us", sa.BigInteger, nullable=False),
    sa.Column("identifiers", sa.LargeBinary),  # that the API has, or may have; null: none that it took
    one_of("fate", (Fate.ACCEPTED, Fate.REFUSED, Fate.ACCEPTED_WITH_LOSS, Fate.IN_DOUBT)),
    sqlite_with_rowid=False,
)

refused = sa.Table(
    "refused",
    metadata,
    # Beside `accepted`: a refusal changes nothing of what the API has.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("payload_digest", sa.LargeBinary, nullable=False),  # with its points and their statement
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    sa.Column("refused_at_us", sa.BigInteger, nullable=False),  # when it was sent
    sqlite_with_rowid=False,
)

credits = sa.Table(
    "credits",
    metadata,
    # The key is the rule: a credit is sent once per customer, programme and statement.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("programme", sa.Text, primary_key=True),  # empty: every programme (credited under version 2)
    sa.Column("statement_hash", sa.LargeBinary, primary_key=True),  # empty: the job names no statements
    sa.Column("points", sa.BigInteger),  # null: nobody knows (credited under version 2)
    sa.Column("fate", sa.Text, nullable=False),
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), nullable=False),
    one_of("fate", (Fate.ACCEPTED, Fate.IN_DOUBT)),
    sqlite_with_rowid=False,
)

forgotten = sa.Table(
    "forgotten",
    metadata,
    # Who asked to be forgotten is not sent again; nothing else is known of them.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("forgotten_at_us", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

mappings = sa.Table(
    "mappings",
    metadata,
    # With which mapping each run loaded, and where to: when the mapping is another, many rows may differ at once; what
    # was refused by another operation, or on behalf of another store, may be taken now.
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("run_no", sa.ForeignKey("runs.run_no"), primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("destination", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
