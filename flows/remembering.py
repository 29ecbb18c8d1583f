"""What a run leaves to be remembered, part by part as they are closed."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from connectors.ledger import Ledger
from connectors.spool import Part, Spool
from schemas.job import Job
from schemas.outcomes import Fate
from transforms.memory import met_again, remembered, remembered_children


@dataclass
class Remembering:
    """Remembers a run's closed parts; leading ones come first, as they are in `PreparedRun.parts`."""

    ledger: Ledger
    run: str
    job: Job
    spool: Spool
    refused: list[pa.Array] = field(default_factory=list)  # leading rows, by part

    def __post_init__(self) -> None:
        self.lacking = self.ledger.lacks_identifiers(self.job.memory)

    def part(self, part: Part, closed: pa.Table) -> None:
        """Remember one part."""
        operation = self.job.destination.operation
        if not part.table:
            if self.job.map.association is not None:
                refused = pc.equal(closed.column("fate"), Fate.REFUSED.value)
                self.refused.append(closed.column("row").filter(refused).combine_chunks())
            self.ledger.remember(self.run, self.job.memory, remembered(closed, operation))
            if self.lacking:
                self.ledger.know_by(self.job.memory, met_again(closed))
        elif part.rows:
            said = self.spool.read("prepared", part, ["parent", "keyed"])
            keyed, parent = (said.column(name).combine_chunks() for name in ("keyed", "parent"))
            with_parent = pc.is_in(parent, value_set=pa.concat_arrays([pa.array([], pa.int64()), *self.refused]))
            children = remembered_children(closed.slice(0, part.rows), keyed, with_parent, operation)
            self.ledger.remember(self.run, self.job.memory, children)
