"""Runs that an earlier version planned: what they sent is closed, settled and remembered; they are not gone on with.

Nobody looked at who shares an identifier with whom when they were planned, so what they did not send is for a new run.
"""

import json
from collections.abc import Mapping
from hashlib import sha256

from connectors.spool import Spool
from flows.settle import section_digests
from flows.underway import Manifest
from schemas.job import Job
from transforms.older import completed


def is_older(manifest: Manifest) -> bool:
    """Version 2 did not keep how it spelled identifiers, nor version 1 what it planned by."""
    return manifest.spelling is None or not manifest.sections


def bring_up(spool: Spool, manifest: Manifest, salt: bytes) -> None:
    """Give an older run's folder the form that closing reads; twice is as good as once."""
    if not is_older(manifest):
        return
    spool.keep_dropped()
    for part in manifest.prepared.parts:
        if "identifiers" not in spool.names("prepared", part):
            slices = (completed(some, salt) for some in spool.written("prepared", part))
            spool.write_slices("prepared", part, slices)


def planned_sections(job: Job, manifest: Manifest) -> Mapping[str, str]:
    """Digests of the job file's sections as whoever planned the run would write them."""
    digests = section_digests(job)
    if not is_older(manifest):
        return digests
    whole = {section: job.model_dump_json(include={section}) for section in digests if "." not in section}
    whole["destination"] = job.destination.model_dump_json(exclude={"auth", "in_doubt"})
    whole["rules"] = _version_2_rules(job)
    return {**digests, **{section: sha256(text.encode()).hexdigest() for section, text in whole.items()}}


def _version_2_rules(job: Job) -> str:
    """Version 2 knew neither placeholders nor children; of the rest it wrote null where nothing was given."""
    told = json.loads(job.model_dump_json(include={"rules"}))
    rules = {name: value for name, value in told["rules"].items() if name not in ("placeholder_above", "max_children")}
    for name in ("shared_identifier", "placeholders"):
        if name not in job.rules.model_dump(exclude_defaults=True):
            rules[name] = None
    return json.dumps({"rules": rules}, ensure_ascii=False, separators=(",", ":"))
