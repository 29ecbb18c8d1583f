"""What the API said that it accepted is read back and compared: does it keep what it is sent?"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from connectors.lookup import CustomerReads
from flows.sending import Sender
from schemas.batches import Batch
from schemas.errors import GuardStopped
from schemas.outcomes import Fate
from transforms.comparison import differences
from transforms.lookup import key_type, wanted_of
from transforms.mapping import template_of


async def read_back(sender: Sender, batch: Batch, fates: Mapping[int, Fate]) -> None:
    """Read the batch's accepted rows; what none of them kept is noted for the report.

    Raises:
        GuardStopped: none of them is there.
    """
    reads = CustomerReads(sender.api, sender.job.destination, sender.turn)
    key = key_type(template_of(sender.job))
    missing: Counter[str] = Counter()
    there = gone = 0
    for row, payload in zip(batch.rows, msgspec.json.decode(batch.body, type=list[msgspec.Raw]), strict=True):
        wanted = wanted_of(bytes(payload), key, sender.now()) if fates[row].applied else None
        seen = await reads.see(replace(wanted, points=False, programmes=False)) if wanted is not None else None
        if seen is None or seen.found is None:
            continue  # nobody to ask for, the run stops, or these credentials may not read
        there, gone = there + seen.found, gone + (not seen.found)
        # Enrolments are worked on in the background: that they are not there yet says nothing.
        told = differences(bytes(payload), seen) if seen.found else ()
        missing.update(target for target in told if not target.startswith("loyaltyProgramEnrollments"))
    sender.counts.looked_up += reads.requests
    if gone and not there:
        raise GuardStopped(
            f"canary: the API accepted the first {gone} rows, and none of these customers is there when it is "
            "read back, so nothing else was sent; check destination.source and account_id with Capillary's "
            "support. If that is right: bulkload resume"
        )
    sender.notes += [
        f"{target} was sent for the first {there} customers and is not there as it was sent when they are read back; "
        "check that the organisation has such a field, and may update it"
        for target, rows in sorted(missing.items())
        if rows == there and there > 1
    ]
