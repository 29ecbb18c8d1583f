"""What is remembered of customers from run to run, as it goes into the ledger and comes out of it.

`key`, `statement` and `identifiers` are keyed hashes, each `digest` is a keyed digest of a payload.
"""

from dataclasses import dataclass, field

import pyarrow as pa

HASH = pa.binary(16)
IDENTIFIERS = pa.list_(pa.uint64())
NO_STATEMENT = b""  # where the job names none
EVERY_PROGRAMME = ""  # credited under an old rule: once per customer, whatever the programme

# What the API has of a customer, or may have: `digest` of its payload without points; a fate applied, or in doubt.
ACCEPTED = pa.schema([("key", HASH), ("digest", HASH), ("fate", pa.string()), ("identifiers", IDENTIFIERS)])
# What became of children, sent in their parents' payloads: `digest` of the child's element; a fate applied, in doubt or
# refused. Identifiers are those that the API has, or may have; none where no key told who the child is.
CHILDREN = ACCEPTED
# What it refused last and has accepted nothing after: `digest` of the payload with its points and their statement.
REFUSED = pa.schema([("key", HASH), ("digest", HASH)])
# `points` are null where nobody knows how many; `fate` is accepted or in doubt.
CREDITED = pa.schema(
    [("key", HASH), ("programme", pa.string()), ("statement", pa.binary()), ("points", pa.int64()),
     ("fate", pa.string())]
)  # fmt: skip
FORGOTTEN = pa.schema([("key", HASH)])
# Whom a later run loaded, while the one that asks stood still.
NEWER = pa.schema([("key", HASH)])
_SENT = pa.field("sent_at_utc", pa.timestamp("us", "UTC"))
ACCEPTED_SENT, REFUSED_SENT, CHILDREN_SENT = ACCEPTED.append(_SENT), REFUSED.append(_SENT), CHILDREN.append(_SENT)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a run leaves to be remembered; of several words of a customer the one sent last counts."""

    accepted: pa.Table  # as `ACCEPTED`, with `sent_at_utc`
    refused: pa.Table  # as `REFUSED`, with `sent_at_utc`
    credited: pa.Table  # as `CREDITED`
    # As `CHILDREN`, with `sent_at_utc`; null identifiers leave those that are known.
    children: pa.Table = field(default_factory=CHILDREN_SENT.empty_table)
