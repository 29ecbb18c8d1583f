"""Shares of values, and how people are told of them."""

import pyarrow as pa
import pyarrow.compute as pc


def share(flags: pa.Array) -> float:
    """Share of true ones among values, 0 where there are none."""
    return (pc.sum(flags).as_py() or 0) / len(flags) if len(flags) else 0.0


def percent(part: float) -> str:
    """In words; never 100 % where something is missing, and never 0 % where something is there."""
    if part in (0.0, 1.0):
        return "all" if part else "none"
    if 0.01 <= part <= 0.99:
        return f"{part:.0%}"
    return f"{min(max(part, 0.001), 0.999):.1%}"
