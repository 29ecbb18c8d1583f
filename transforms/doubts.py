"""Rows in doubt as a person is told of them: the first ones, their customers masked, and the requests they left in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.outcomes import Fate
from schemas.reasons import is_of_a_value
from schemas.runs import Doubtful, DoubtfulRequest
from transforms.masking import mask

SHOWN = 20


@dataclass
class Doubts:
    """Gathers rows in doubt over the parts of a run; times are shown in `zone`."""

    zone: tzinfo
    rows: list[Doubtful] = field(default_factory=list)
    _requests: dict[int, DoubtfulRequest] = field(default_factory=dict)

    def add(self, closed: pa.Table, files: Sequence[str], customers: Callable[[list[int]], list[str | None]]) -> None:
        """`customers` gives the raw key of some places of the part; it is masked at once."""
        places = pc.indices_nonzero(pc.equal(closed.column("fate"), Fate.IN_DOUBT.value))
        if not len(places):
            return
        doubtful = _with_points(closed.take(places))
        self._count(doubtful)
        shown = places[: SHOWN - len(self.rows)].to_pylist()
        for row, customer in zip(doubtful.slice(0, len(shown)).to_pylist(), customers(shown), strict=True):
            self.rows.append(self._told(row, files, customer))

    def requests(self) -> tuple[DoubtfulRequest, ...]:
        """The first sent first."""
        return tuple(sorted(self._requests.values(), key=lambda request: (request.sent_at_utc, request.batch)))

    def _count(self, doubtful: pa.Table) -> None:
        sent = doubtful.filter(doubtful.column("batch").is_valid())
        by = ["batch", "sent_at_utc", "request_id"]
        for found in sent.group_by(by).aggregate([([], "count_all"), ("points", "sum")]).to_pylist():
            rows, points = found["count_all"], found["points_sum"]
            # A batch may hold rows of two parts.
            known = self._requests.get(found["batch"])
            self._requests[found["batch"]] = (
                replace(known, rows=known.rows + rows, points=known.points + points)
                if known
                else DoubtfulRequest(found["batch"], found["sent_at_utc"], found["request_id"] or "", rows, points)
            )

    def _told(self, row: dict[str, Any], files: Sequence[str], customer: str | None) -> Doubtful:
        sent_at_utc = row["sent_at_utc"]
        return Doubtful(
            file=files[row["file"]],
            line=row["line"],
            customer=mask(customer) if customer else "",
            sent_at=sent_at_utc.astimezone(self.zone).isoformat(timespec="seconds") if sent_at_utc else "",
            batch=row["batch"],
            request_id=row["request_id"] or "",
            codes=tuple(code for code in (row["codes"] or "").split(";") if code and not is_of_a_value(code)),
            points=row["points"],
        )


def _with_points(doubtful: pa.Table) -> pa.Table:
    """All that is told of a row, and its points of all programmes as one number."""
    programmes = [doubtful.column(name) for name in doubtful.column_names if name.startswith("points_")]
    points = reduce(pc.add, programmes) if programmes else pa.repeat(0, doubtful.num_rows)
    told = doubtful.select(["file", "line", "codes", "batch", "request_id", "sent_at_utc"])
    return told.append_column("points", points)
