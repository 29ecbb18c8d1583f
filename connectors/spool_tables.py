"""What the tables of a run's folder have, beside its prepared parts."""

import pyarrow as pa

UNREADABLE = pa.schema([("file", pa.int32()), ("line", pa.int64()), ("code", pa.string()), ("raw", pa.binary())])
DROPPED = pa.schema([("row", pa.int64()), ("fate", pa.string()), ("code", pa.string()), ("stands_for", pa.int64())])
KNOWN = pa.schema(
    [("row", pa.int64()), ("place", pa.int32()), ("programme", pa.string()), ("doubtful", pa.bool_()),
     ("differs", pa.bool_())]
)  # fmt: skip
WITHHELD = pa.schema([("row", pa.int64()), ("programme", pa.string()), ("differs", pa.bool_())])
FIRSTS = pa.schema(
    [("row", pa.int64()), ("first_run", pa.string()), ("first_file", pa.string()), ("first_line", pa.int64()),
     ("first_fate", pa.string())]
)  # fmt: skip
WAVES = pa.schema([("row", pa.int64()), ("wave", pa.int32()), ("waits_for", pa.int64())])
WIDELY_SHARED = pa.schema([("row", pa.int64())])
CLUSTERS = pa.schema(
    [("row", pa.int64()), ("cluster", pa.int64()), ("shared", pa.uint64()), ("to_be_sent", pa.bool_())]
)
