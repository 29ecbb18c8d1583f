"""Times without end: databases have an infinity, Arrow has a number that stands for it and reads like a date."""

import pyarrow as pa
import pyarrow.compute as pc

from connectors.arrowtext import text_to_the_microsecond


def text_with_ends(values: pa.Array, first: int, last: int) -> pa.Array:
    """Times or dates as text; the numbers `first` and `last` are -infinity and infinity."""
    number = values.view(pa.int64() if pa.types.is_timestamp(values.type) else pa.int32())
    is_first, is_last = pc.equal(number, pa.scalar(first, number.type)), pc.equal(number, pa.scalar(last, number.type))
    if not pc.any(pc.or_(is_first, is_last)).as_py():
        return text_to_the_microsecond(values)
    # What they read like is not even a date to Arrow: 1970 stands in until the text is put there.
    ordinary = pc.if_else(pc.or_(is_first, is_last), pa.scalar(0, number.type), number).view(values.type)
    text = text_to_the_microsecond(ordinary)
    return pc.case_when(pc.make_struct(is_first, is_last), pa.scalar("-infinity"), pa.scalar("infinity"), text)
