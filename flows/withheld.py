"""Prepared parts as they are to be sent: what settling withheld is out of them."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from connectors.spool import Part, Spool
from transforms.withholding import withhold

_CREDITS = ("points", "programme_")


def planned(spool: Spool, part: Part, columns: Sequence[str], some: pa.Array | None = None) -> pa.Table:
    """Some columns of a part's rows, among them `row`; of credits that were sent before only `withheld_N` tells.

    Of the columns those that the part has. `some`: only these rows, by their sorted numbers. Payloads are read where
    they are asked for, and where their size is and has changed.
    """
    there, withheld = spool.names("prepared", part), spool.withheld(part)
    columns = [name for name in columns if name in there]
    if some is not None:
        withheld = withheld.filter(pc.is_in(withheld.column("row"), value_set=some))
    if not withheld.num_rows:
        return _read(spool, part, columns, some)
    needed = [name for name in there if name.startswith(_CREDITS)]
    needed += ["payload"] if "size" in columns else []
    rows = withhold(_read(spool, part, list(dict.fromkeys([*columns, *needed])), some), withheld)
    return rows.select([*columns, *(name for name in rows.column_names if name.startswith("withheld_"))])


def _read(spool: Spool, part: Part, columns: Sequence[str], some: pa.Array | None) -> pa.Table:
    if some is None:
        return spool.read("prepared", part, columns)
    return spool.rows_of("prepared", part, some, columns)
