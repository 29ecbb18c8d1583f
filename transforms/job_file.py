"""A job file's text becomes a checked job, or a list of everything that is wrong with it."""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import JobError, raise_all
from schemas.job import Job
from transforms.yaml_lines import Lines, Path, dotted, read_yaml


def read_job(text: str, environment: Mapping[str, str], file: str = "job") -> Job:
    """Read a job file strictly.

    Raises:
        JobError: all mistakes at once, each with its line, what is allowed and the nearest known key.
    """
    lines = read_yaml(text, environment)
    if not isinstance(lines.value, dict):
        what = "a job file is a mapping of name, source, map and destination; this one is not"
        raise JobError(*_told(lines.problems or [(1, what)], file))
    problems = lines.problems + _secrets_in_clear(lines)
    job = None
    try:
        job = Job.model_validate(lines.value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [
            _problem(detail, lines) for detail in details if _written(detail["loc"], lines) not in lines.missing
        ]
    problems += [(lines.line(path), f"{dotted(path)}: {what}") for path, what in not_supported(lines.value, job)]
    raise_all(JobError, _told(problems, file))
    assert job is not None
    return job


def _told(problems: Iterable[tuple[int, str]], file: str) -> list[str]:
    return [f"{file}:{line}: {what}" for line, what in sorted(set(problems))]


def _secrets_in_clear(lines: Lines) -> list[tuple[int, str]]:
    """Secrets come from the environment, so that a job file may be shared and kept in git."""
    return [
        (
            lines.line(path),
            f"{dotted(path)}: a secret is not written here; write ${{NAME}} and set NAME in the environment",
        )
        for path in _paths(lines.value)
        if path not in lines.from_environment and _field_at(path) is SecretStr and _at(lines.value, path) is not None
    ]


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every leaf's path."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*path, key))
    if not isinstance(value, (dict, list)):
        yield path


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _field_at(path: Path) -> Any:
    """What stands at a path of the job file: a model, `SecretStr`, another type, or None where nothing may."""
    here: Any = Job
    for part in path:
        here = _bare(_child(here, part))
    return here


def _child(here: Any, part: str | int) -> Any:
    if isinstance(here, type) and issubclass(here, BaseModel):
        return {f.alias or name: f.annotation for name, f in here.model_fields.items()}.get(str(part))
    arguments = typing.get_args(here)
    return arguments[-1] if arguments else None


def _bare(annotation: Any) -> Any:
    """Without `| None` and `Annotated`; of several, the one that holds more (`Literal | dict[…]`: the dict)."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _bare(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        kept = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        return _bare(kept[-1])
    return annotation


def _problem(detail: ErrorDetails, lines: Lines) -> tuple[int, str]:
    path = _written(detail["loc"], lines)
    line, name = lines.line(path), dotted(path) or "job"
    if detail["type"] == "extra_forbidden":
        return line, f"{name}: unknown key{_nearest(path)}"
    if detail["type"] == "missing":
        return line, f"{name}: required, and missing"
    allowed = detail["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return line, f"{name}: {allowed[0].lower()}{allowed[1:]}{_given(detail, path, lines)}"


def _written(location: Path, lines: Lines) -> Path:
    """pydantic adds names of union members and `[key]`; keep what stands in the file, and one missing key."""
    path: Path = ()
    for part in location:
        if (*path, part) in lines.line_of:
            path = (*path, part)
        elif part == location[-1] and isinstance(part, str) and part.isidentifier():
            return (*path, part)
    return path


def _nearest(path: Path) -> str:
    model = _field_at(path[:-1])
    allowed = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(str(path[-1]), allowed, n=1, cutoff=0.5)
    hint = f"; nearest is {near[0]!r}" if near else ""
    return f"{hint}; allowed here: {', '.join(allowed)}"


def _given(detail: ErrorDetails, path: Path, lines: Lines) -> str:
    """What was given, when it is a plain value that stands in the file itself."""
    given = detail["input"]
    shown = isinstance(given, (str, int, float, bool)) and path not in lines.from_environment
    return f"; given {given!r}" if shown and _field_at(path) is not SecretStr else ""


# Parts of the syntax that later versions make work. They are refused by name and never ignored.
_NOT_YET: tuple[tuple[str, ...], ...] = (
    *(("source", "*", part) for part in ("database", "since", "nest", "ready", "move_to", "decrypt")),
    ("map", "associationDetails"),
    ("points_id",),
    ("rules", "shared_identifier"),
    ("rules", "placeholders"),
    ("guards",),
    ("window",),
    ("run", "dask"),
    ("notify",),
    ("keep",),
)


def not_supported(written: dict[str, Any], job: Job | None) -> Iterator[tuple[Path, str]]:
    """What the job asks for and this version cannot do; `job` is None when the file has other mistakes."""
    for pattern in _NOT_YET:
        for path in _matching(written, pattern):
            yield path, "not supported yet"
    if job is None:
        return
    if job.run.workers == "dask":
        yield ("run", "workers"), "dask is not supported yet; use threads or processes"
    if job.destination.in_doubt != "hold":
        yield ("destination", "in_doubt"), f"{job.destination.in_doubt} is not supported yet; use hold"
    for name, table in job.source.items():
        if table.format == "xlsx" or (table.files or "").lower().endswith((".xlsx", ".xls")):
            yield ("source", name, "files"), "xlsx is not supported yet; save the sheet as CSV"
        if "://" in (table.files or ""):
            yield ("source", name, "files"), "URLs are not supported yet; use a path"
    if job.map.enrollments and not job.destination.enrollments:
        yield (
            ("map", "loyaltyProgramEnrollments"),
            "the API's newest pages no longer list enrolments for this call; "
            "set destination.enrollments: true to send them all the same, or take them out",
        )


def _matching(value: Any, pattern: tuple[str, ...], path: Path = ()) -> Iterator[Path]:
    if not pattern:
        if value is not None:
            yield path
    elif isinstance(value, dict):
        for key in value if pattern[0] == "*" else {pattern[0]} & value.keys():
            yield from _matching(value[key], pattern[1:], (*path, key))
