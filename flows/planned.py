"""Prepared parts as they are to be sent: what settling withheld is out of them."""

from collections.abc import Sequence

import pyarrow as pa

from connectors.spool import Part, Spool
from transforms.withholding import withhold

_CREDITS = ("points", "programme_")


def planned(spool: Spool, part: Part, columns: Sequence[str]) -> pa.Table:
    """Some columns of a part's rows, among them `row`; of credits that were sent before only `withheld_N` tells.

    Payloads are read where they are asked for, and where their size is and has changed.
    """
    withheld = spool.withheld(part)
    if not withheld.num_rows:
        return spool.read("prepared", part, columns)
    needed = [name for name in spool.names("prepared", part) if name.startswith(_CREDITS)]
    needed += ["payload"] if "size" in columns else []
    rows = withhold(spool.read("prepared", part, list(dict.fromkeys([*columns, *needed]))), withheld)
    return rows.select([*columns, *(name for name in rows.column_names if name.startswith("withheld_"))])
