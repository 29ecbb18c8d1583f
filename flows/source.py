"""A job's source: its tables taken, and every column found that the job names; nothing of it is read yet."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.results import plain_names
from flows.drops import take_drop
from flows.taking import Taking, take
from schemas.errors import SourceError, raise_all
from schemas.job import Job
from schemas.rows import OURS, Reading
from schemas.taken import Taken
from transforms.askers import askers, child_askers
from transforms.columns import Place, resolve
from transforms.filters import read_filter
from transforms.results import told_apart


@dataclass(frozen=True, slots=True)
class Source:
    """The opened tables of a job and where each mapped column lies in them; nothing is read yet."""

    tables: Mapping[str, Reading]
    places: Mapping[str, Place]
    children: Mapping[str, Place] = field(default_factory=dict)  # where the children's columns lie, in the nested table
    taken: Mapping[str, Taken] = field(default_factory=dict)  # of the tables that are not read in their place
    notes: tuple[str, ...] = ()  # what was found out and not told by the job, in sentences without their full stop

    @property
    def lead(self) -> str:
        return next(iter(self.tables))

    @property
    def nested(self) -> str:
        """The nested table; nothing where there is none."""
        return next((table for table, _ in self.children.values()), "")

    def columns(self, table: str) -> tuple[str, ...]:
        """A table's columns, without those that a rejected file brings along."""
        return tuple(column for column in self.tables[table].columns if column not in OURS)

    def names(self, table: str) -> list[str]:
        """A table's files as people are told of them, in reading order."""
        return told_apart([file.path for file in self.tables[table].files])

    def kept_names(self, table: str) -> list[str]:
        """What the unreadable lines of a table's files are kept under; all tables share one folder."""
        shown = [
            (each, name if each == self.lead else f"{each}-{name}") for each in self.tables for name in self.names(each)
        ]
        kept = plain_names(name for _, name in shown)
        return [name for (each, _), name in zip(shown, kept, strict=True) if each == table]


Shared = Callable[[Job, Mapping[str, Reading]], Mapping[str, Reading]]


def open_source(job: Job, how: Taking, shared: Shared | None = None) -> Source:
    """Take every table and find every column the job names; `shared` makes of one file's table several.

    Raises:
        NothingToLoad: a drop has no file that is ready and new.
        SourceError: files are missing or unreadable, or columns are missing; all of a kind at once.
    """
    opened = {
        name: take_drop(table, name, how, _named(job, name))
        if table.is_drop and name not in how.known
        else take(table, name, how)
        for name, table in job.source.items()
    }
    tables: Mapping[str, Reading] = {name: reading for name, (reading, _) in opened.items()}
    tables = tables if shared is None else shared(job, tables)
    places, children = _found(job, tables)
    taken = {name: taken for name, (_, taken) in opened.items() if taken is not None}
    notes = tuple(dict.fromkeys(note for reading in tables.values() for note in reading.notes))
    source = Source(tables, places, children, taken, notes)
    columns = source.columns(source.lead)
    if source.nested and source.places[nest_key(job, columns)][0] != source.lead:
        raise SourceError(
            f"source.{source.nested}.nest.on: the leading table has neither this column nor the job's key; "
            "give the column of the nested table the name of one that the leading table has"
        )
    return source


def _found(job: Job, tables: Mapping[str, Reading]) -> Sequence[Mapping[str, Place]]:
    """Where every wanted column lies: of the rows, and of their children."""
    columns = {name: tuple(c for c in reading.columns if c not in OURS) for name, reading in tables.items()}
    nested = {name: columns.pop(name) for name, table in job.source.items() if table.nest is not None}
    filtered = read_filter(job.rules.filter).columns if job.rules.filter else ()
    wanted = [*askers(job), *((name, "rules.filter") for name in filtered), *_join_keys(job, columns)]
    on = {name: table.join.on for name, table in job.source.items() if table.join is not None}
    problems, places = list[str](), list[Mapping[str, Place]]()
    of_children = [*child_askers(job), *_nest_keys(job)]
    for asked, within, where in (
        (wanted, columns, "the source"),
        (of_children, nested, f"nested table {', '.join(nested)}"),
    ):
        try:
            places.append(resolve(asked, within, on, where))
        except SourceError as error:
            problems += error.problems
    raise_all(SourceError, problems)
    return places


def _named(job: Job, table: str) -> set[str]:
    """The columns that the job names, with or without the name of this table; some may be other tables'."""
    filtered = read_filter(job.rules.filter).columns if job.rules.filter else ()
    keys = [on.on for each in job.source.values() if (on := each.join or each.nest) is not None]
    names = [*(name for name, _ in (*askers(job), *child_askers(job))), *filtered, *keys]
    return {each for name in names for each in (name, name.removeprefix(f"{table}."))}


def _join_keys(job: Job, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """The key of each join, in the leading and in the joined table, as `table.column`; of a nested one, the former."""
    lead = next(iter(job.source))
    for name, table in job.source.items():
        if table.join is not None:
            yield f"{lead}.{table.join.on}", f"source.{name}.join.on"
            yield f"{name}.{table.join.on}", f"source.{name}.join.on"
        if table.nest is not None:
            yield nest_key(job, columns[lead]), f"source.{name}.nest.on"


def nest_key(job: Job, leading: Sequence[str]) -> str:
    """What a nested table's key is compared with: the leading table's column of that name, else the job's key."""
    lead, on = next(iter(job.source)), next(table.nest.on for table in job.source.values() if table.nest is not None)
    key = on if on in leading else job.key_column
    return f"{lead}.{key}" if key in leading else key


def _nest_keys(job: Job) -> Iterator[tuple[str, str]]:
    for name, table in job.source.items():
        if table.nest is not None:
            yield f"{name}.{table.nest.on}", f"source.{name}.nest.on"
