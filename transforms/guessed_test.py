"""What a guessed job would make of the rows it was guessed from."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa

from schemas.guessing import Tested

SHOWN_REASONS = 6


def tested_of(prepared: pa.Table, unreadable: int) -> Tested:
    """Of prepared rows their `fate` and `codes`; `unreadable` lines stand among them."""
    sent, invalid, left_out = 0, Counter[str](), Counter[str]()
    for fate, codes in zip(*(prepared.column(name).to_pylist() for name in ("fate", "codes")), strict=True):
        sent += fate is None
        (left_out if fate is None else invalid).update(codes.split(";") if codes else ())
    return Tested(prepared.num_rows + unreadable, unreadable, sent, invalid, left_out)


def lines_of(tested: Tested) -> Iterator[str]:
    """For people; the most frequent reasons first."""
    rejected = tested.read - tested.unreadable - tested.sent
    fates = [f"would be sent {tested.sent:,}", f"invalid {rejected:,}"]
    if tested.invalid:
        fates[-1] += f" ({_reasons(tested.invalid)})"
    if tested.unreadable:
        fates.append(f"no rows but broken lines {tested.unreadable:,}")
    yield f"Of {tested.read:,} rows looked at: {', '.join(fates)}"
    if tested.left_out:
        yield f"Values that rows are sent without: {_reasons(tested.left_out)}"


def _reasons(codes: Mapping[str, int]) -> str:
    shown = sorted(codes.items(), key=lambda item: -item[1])
    more = ["…"] if len(shown) > SHOWN_REASONS else []
    return ", ".join([f"{code} {rows:,}" for code, rows in shown[:SHOWN_REASONS]] + more)
