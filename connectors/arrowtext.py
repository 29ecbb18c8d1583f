"""Typed Arrow values as exact text: nothing is rounded, padded or shortened on the way."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_EXACT_INTEGERS = {pa.float32(): 2.0**24, pa.float64(): 2.0**53}  # below them each whole float is one integer
_JSON = msgspec.json.Encoder(decimal_format="number")
_NO_NANOSECONDS = r"(\.\d{6})000([+-]\d\d:\d\d)?$"
_NO_FRACTION = r"\.0+([+-]\d\d:\d\d)?$"


def has_text(kind: pa.DataType) -> bool:
    """Whether values of this type have a text form here; durations and intervals have none."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.extension_name == "arrow.uuid" or has_text(kind.storage_type)
    if types.is_dictionary(kind):
        return has_text(kind.value_type)
    if types.is_nested(kind):
        return all(has_text(kind.field(place).type) for place in range(kind.num_fields))
    return not (types.is_duration(kind) or types.is_interval(kind))


def text_of(values: pa.Array) -> pa.Array:
    """The same values as strings; null stays null.

    Whole floats lose their ".0", times get a T and, when they have a zone, its offset; nested values are JSON.

    Raises:
        pyarrow.ArrowException: bytes that are no UTF-8, a time zone nobody knows.
    """
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _uuids(values.storage) if kind.extension_name == "arrow.uuid" else text_of(values.storage)
    if types.is_dictionary(kind):
        return text_of(values.dictionary_decode())
    for is_kind, as_text in _OWN_WAY:
        if is_kind(kind):
            return as_text(values)
    text = values if types.is_string(kind) else values.cast(pa.string())
    if not _is_ascii(text):
        text.validate(full=True)  # Parquet promises UTF-8 and does not check it
    return text


def text_to_the_microsecond(values: pa.Array) -> pa.Array:
    """The same, and times of nanoseconds without the zeros of those: one moment has one text, whatever the unit."""
    text = text_of(values)
    if not types.is_timestamp(values.type) or values.type.unit != "ns":
        return text
    return pc.replace_substring_regex(text, _NO_NANOSECONDS, r"\1\2")


def _is_ascii(text: pa.Array) -> bool:
    """Known from the bytes as a whole, which is ten times faster than value by value."""
    data = text.buffers()[2]
    return data is None or not len(data) or int(np.frombuffer(data, np.uint8).max()) < 128


def _floats(values: pa.Array) -> pa.Array:
    if types.is_float16(values.type):
        return _floats(values.cast(pa.float32()))
    whole = pc.and_(pc.equal(pc.floor(values), values), pc.less(pc.abs(values), _EXACT_INTEGERS[values.type]))
    integers = pc.if_else(whole, values, pa.scalar(0, values.type)).cast(pa.int64()).cast(pa.string())
    return _without_exponent(pc.if_else(whole, integers, values.cast(pa.string())), "e+")


def _decimals(values: pa.Array) -> pa.Array:
    return _without_exponent(values.cast(pa.string()), "E")


def _without_exponent(text: pa.Array, sign: str) -> pa.Array:
    """The same digits written out, where there is an exponent."""
    if not pc.any(pc.match_substring(text, sign)).as_py():
        return text
    return pa.array(
        [format(Decimal(each), "f") if each is not None and sign in each else each for each in text.to_pylist()],
        pa.string(),
    )


def _timestamps(values: pa.Array) -> pa.Array:
    zone = values.type.tz
    if zone in (None, "UTC"):  # a cast is five times as fast as strftime
        plain = values.cast(pa.timestamp(values.type.unit)).cast(pa.string())
        text = pc.binary_join_element_wise(pc.replace_substring(plain, " ", "T"), "+00:00" if zone else "", "")
    else:
        text = pc.strftime(values, "%Y-%m-%dT%H:%M:%S%Ez")
    return pc.replace_substring_regex(text, _NO_FRACTION, r"\1") if values.type.unit != "s" else text


def _times(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values.cast(pa.string()), _NO_FRACTION, "")


def _uuids(values: pa.Array) -> pa.Array:
    return pa.array([None if each is None else str(UUID(bytes=each)) for each in values.to_pylist()], pa.string())


def _nested(values: pa.Array) -> pa.Array:
    plain = values.to_pylist(maps_as_pydicts="strict")
    return pa.array([None if each is None else _JSON.encode(each).decode() for each in plain], pa.string())


_OWN_WAY: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (types.is_floating, _floats),
    (types.is_decimal, _decimals),
    (types.is_timestamp, _timestamps),
    (types.is_time, _times),
    (types.is_nested, _nested),
)
