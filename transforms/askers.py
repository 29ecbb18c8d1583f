"""Which columns a job names, and with which of its words."""

from collections.abc import Iterator

from schemas.job import Job
from transforms.mapping import child_template_of, template_of


def askers(job: Job) -> Iterator[tuple[str, str]]:
    """Every source column the job names outside its filter, with the words that name it."""
    template = template_of(job)
    for leaf in template.leaves():
        yield leaf.column.source, f"map.{leaf.target}"
    yield template.key.source, "key"
    if template.order is not None:
        yield template.order.source, "rules.duplicates.by"
    if template.statement is not None:
        yield template.statement.source, "points_id"


def child_askers(job: Job) -> Iterator[tuple[str, str]]:
    """Every column of the nested table that the job names, with the words that name it."""
    template = child_template_of(job)
    for leaf in template.leaves() if template else ():
        yield leaf.column.source, f"map.{leaf.target}"
