"""Customers that were there before: added in bulk, without requests, writes or credits."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from connectors.sandbox.records import IST, Record, StoredProfile, encode_record
from connectors.sandbox.store import Store

Identity = str | Mapping[str, str]  # an external id, or identifiers by type
CHUNK = 10_000


def preload(store: Store, identities: Iterable[Identity], source: str, account: str) -> int:
    """Add one loyalty customer per identity, ids in the order given; one whose identifier is taken is left out.

    Identifiers are taken as they are: no rule of the organisation is checked. They were last written to a day ago,
    so that a look-up can tell that from what a run writes a moment later.
    """
    then = (datetime.now(IST) - timedelta(days=1)).isoformat(timespec="seconds")
    remaining = iter(identities)
    added = 0
    while chunk := list(islice(remaining, CHUNK)):
        with store.lock:
            added += _add(store, chunk, StoredProfile(source, account, created_at=then, modified_at=then))
    return added


def _add(store: Store, chunk: list[Identity], blank: StoredProfile) -> int:
    wanted = [{"externalId": one} if isinstance(one, str) else dict(one) for one in chunk]
    keys = [[f"{kind}:{value}" for kind, value in one.items()] for one in wanted]
    taken = set(store.owners(key for own in keys for key in own))
    customers: list[tuple[Any, ...]] = []
    leads: list[tuple[str, int]] = []
    for identifiers, own in _fresh(wanted, keys, taken):
        profile = StoredProfile(
            blank.source,
            blank.account,
            identifiers=identifiers,
            created_at=blank.created_at,
            modified_at=blank.modified_at,
        )
        record = Record(store.new_id(), own, [profile], "loyalty")
        customers.append((record.id, encode_record(record), 0))
        leads.extend((key, record.id) for key in own)
    store.write({"insert into customers values (?, ?, ?)": customers, "insert into identifiers values (?, ?)": leads})
    return len(customers)


def _fresh(
    wanted: list[dict[str, str]], keys: list[list[str]], taken: set[str]
) -> Iterator[tuple[dict[str, str], list[str]]]:
    for identifiers, own in zip(wanted, keys, strict=True):
        if taken.isdisjoint(own):
            taken.update(own)
            yield identifiers, own
