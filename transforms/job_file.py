"""A job file's text becomes a checked job, or a list of everything that is wrong with it.

No message shows a text from the file or the environment: it may be a secret in the wrong place.
"""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import JobError, raise_all
from schemas.job import Job
from schemas.spellings import IN_WORDS
from transforms.yaml_lines import Lines, Path, dotted, read_yaml

Problem = tuple[int, str]  # line, what is wrong there


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
        problems += _mistakes(error.errors(include_url=False), lines)
    problems += [(lines.line(path), f"{dotted(path)}: {what}") for path, what in not_supported(lines.value, job)]
    problems += [_placed(problem, (), lines) for problem in _beyond_types(lines, job)]
    raise_all(JobError, _told(problems, file))
    assert job is not None
    return job


def _told(problems: Iterable[Problem], file: str) -> list[str]:
    return [f"{file}:{line}: {what}" for line, what in sorted(set(problems))]


def _beyond_types(lines: Lines, job: Job | None) -> Iterator[str]:
    """What only their own readers can tell of a filter, a country and a mapping; `job` as in `not_supported`."""
    # Arrow and its kin take a second; commands that read no job do without.
    from transforms.filters import read_filter  # noqa: PLC0415
    from transforms.mapping import template_of  # noqa: PLC0415
    from transforms.numbering import country_of  # noqa: PLC0415

    for path in _matching(lines.value, ("rules", "filter")):
        try:
            read_filter(str(_at(lines.value, path)))
        except JobError as error:
            # Such a message quotes the filter; what the environment holds is not quoted.
            yield from error.problems if path not in lines.from_environment else ["rules.filter: not an expression"]
    if job is None:
        return
    if job.locale.country is not None and country_of(job.locale.country) is None:
        yield "locale.country: must be a country of ISO 3166, such as IN, or GB for the United Kingdom"
    try:
        template_of(job)
    except JobError as error:
        yield from error.problems


def _placed(what: str, path: Path, lines: Lines) -> Problem:
    """A problem that may begin with the words it is about ("map.extendedFields.dob: …"), at their line."""
    words, _, rest = what.partition(": ")
    at = (*path, *(int(word) if word.isdigit() else word for word in words.split(".")))
    if at in lines.line_of:
        return lines.line(at), f"{dotted(at)}: {rest}"
    return lines.line(at), f"{dotted(path)}: {what}".removeprefix(": ")


def _secrets_in_clear(lines: Lines) -> list[tuple[int, str]]:
    """Secrets come from the environment, so that a job file may be shared and kept in git."""
    return [
        (
            lines.line(path),
            f"{dotted(path)}: a secret is not written here; write ${{NAME}} and set NAME in the environment",
        )
        for path in _paths(lines.value)
        if path not in lines.from_environment and _field_at(path) is SecretStr and _is_secret(_at(lines.value, path))
    ]


def _is_secret(value: Any) -> bool:
    """A database's URL without a password is none: `sqlite:///crm.db`."""
    text = str(value)
    return value is not None and ("://" not in text or "@" in text or "?" in text)


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


def _mistakes(details: Sequence[ErrorDetails], lines: Lines) -> list[Problem]:
    """One problem a place: of a union, pydantic tells what each of its arms would have wanted."""
    groups: dict[Path, list[ErrorDetails]] = {}
    for detail in details:
        groups.setdefault(_written(detail, lines), []).append(detail)
    return [
        _problem(path, group, lines)
        for path, group in groups.items()
        if path not in lines.missing and not (_is_arm(path, group) and _is_told_deeper(path, groups))
    ]


def _is_arm(path: Path, group: Sequence[ErrorDetails]) -> bool:
    return all(len(detail["loc"]) > len(path) and detail["loc"][-1] != "[key]" for detail in group)


def _is_told_deeper(path: Path, groups: Iterable[Path]) -> bool:
    return any(other[: len(path)] == path and len(other) > len(path) for other in groups)


def _written(detail: ErrorDetails, lines: Lines) -> Path:
    """Where it is written: pydantic adds names of union members and `[key]`, which stand in no file."""
    path: Path = ()
    for part in detail["loc"]:
        if (*path, part) in lines.line_of:
            path = (*path, part)
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else path


# pydantic's words where a person needs others.
_WORDS = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "dict_type": "must be a table of words, one a line",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list, one entry a line with a dash before it",
    "string_type": "must be text; a number or a date goes in quotes",
    "string_too_long": "must be one character",
    "string_too_short": "must be one character",
    "too_short": "must not be empty",
}


def _problem(path: Path, group: Sequence[ErrorDetails], lines: Lines) -> Problem:
    if group[0]["type"] == "value_error":
        return _placed(group[0]["msg"].removeprefix("Value error, "), path, lines)
    return lines.line(path), f"{dotted(path) or 'job'}: {_said(path, group, lines)}"


def _said(path: Path, group: Sequence[ErrorDetails], lines: Lines) -> str:
    first = group[0]
    if first["type"] == "extra_forbidden":
        return f"unknown key{_nearest(path[-1], _keys(_field_at(path[:-1])))}"
    if first["type"] == "missing":
        return "required, and missing"
    if path in lines.from_environment and _at(lines.value, path) is None:
        return "the environment gives it no value"
    if first["type"] == "literal_error" and first["loc"][-1] == "[key]":
        return f"unknown word{_nearest(path[-1], _choices(first))}"
    allowed = list(dict.fromkeys(_allowed(detail, path) for detail in group))
    if len(allowed) > 1:
        choices = [arm.partition(";")[0].removeprefix("must be ") for arm in allowed]
        return f"must be {' or '.join(choices)}"
    return allowed[0]


def _allowed(detail: ErrorDetails, path: Path) -> str:
    """What would have been right, and the nearest of a few words."""
    if detail["type"] == "string_pattern_mismatch":
        return f"must be {IN_WORDS[detail['ctx']['pattern']]}"
    if detail["type"] == "model_type":
        return f"must be a table of {', '.join(_keys(_field_at(path)))}"
    if detail["type"] == "literal_error":
        near = difflib.get_close_matches(str(detail["input"]), _choices(detail), n=1, cutoff=0.5)
        return f"must be {detail['ctx']['expected']}" + (f"; nearest is {near[0]!r}" if near else "")
    return _WORDS.get(detail["type"], detail["msg"].replace("Input should be", "must be"))


def _choices(detail: ErrorDetails) -> list[str]:
    """The words of a `Literal`, out of pydantic's "'a', 'b' or 'c'"."""
    expected: str = detail["ctx"]["expected"]
    return expected.split("'")[1::2]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _nearest(given: str | int, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(given), allowed, n=1, cutoff=0.5)
    hint = f"; nearest is {near[0]!r}" if near else ""
    return f"{hint}; allowed here: {', '.join(allowed)}"


# Parts of the syntax that later versions make work. They are refused by name and never ignored.
_NOT_YET: tuple[tuple[str, ...], ...] = (
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
    yield from _unsent_enrolments(job)


def _unsent_enrolments(job: Job) -> Iterator[tuple[Path, str]]:
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
