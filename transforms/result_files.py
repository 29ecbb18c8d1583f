"""Results as whoever sent a file gets them: line by line, in words, and without anything of a customer."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from transforms.results import Operation, sentences

READ = ("file", "line", "fate", "codes", "entity_id", "attempt", "request_id")
_TOLD = ("line", "fate", "code", "message", "entity_id", "attempt", "request_id")


def result_lines(results: pa.Table, members: Mapping[str, str], operation: Operation) -> pa.Table:
    """The lines of one file among some `results` (as `READ`), in its order.

    `members` has the file's name in the results, or those of its members with what they are called in the archive;
    the member stands in front of the line then.
    """
    theirs = pc.is_in(results.column("file"), value_set=pa.array(list(members), pa.string()))
    found = results.filter(theirs).sort_by([("file", "ascending"), ("line", "ascending")])
    told = found.append_column("message", _messages(found.column("codes"), operation)).rename_columns({"codes": "code"})
    if not any(members.values()):
        return told.select(_TOLD)
    member = pa.array([members[name] for name in found.column("file").to_pylist()], pa.string())
    return told.select(_TOLD).add_column(0, "member", member)


def _messages(codes: pa.ChunkedArray, operation: Operation) -> pa.Array:
    """A sentence or some for each; most rows have the same few codes."""
    each = codes.combine_chunks().dictionary_encode()
    return pa.array([sentences(code, operation) for code in each.dictionary.to_pylist()], pa.string()).take(
        each.indices
    )
