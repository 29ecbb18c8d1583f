"""Manifests: read, and compared with what is in the file. What differs is told in words, without a customer's value."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

import pyarrow as pa
from pydantic import ValidationError

from schemas.errors import SourceError
from schemas.manifests import SEPARATOR, FileManifest
from transforms.yaml_lines import read_yaml


def read_manifest(text: str, label: str) -> FileManifest:
    """A manifest, JSON or YAML; `label` is for messages.

    Raises:
        SourceError: it is neither, or says something that is not known.
    """
    lines = read_yaml(text, {})
    if lines.problems or not isinstance(lines.value, dict):
        raise SourceError(f"{label}: is no manifest; write JSON or YAML with {_KNOWN}")
    problems = list[str]()
    try:
        return FileManifest.model_validate(lines.value)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            problems.append(f"{label}: {'.'.join(map(str, each['loc']))}: {each['msg']}; allowed are {_KNOWN}")
    raise SourceError(*dict.fromkeys(problems))


_KNOWN = ", ".join(FileManifest.model_fields)


def broken_by_file(manifest: FileManifest, digest: str, columns: Sequence[str] | None, label: str) -> Iterator[str]:
    """What of a file is not as its manifest says, before any row is read; `columns` where it says something of them."""
    if manifest.sha256 is not None and manifest.sha256 != digest:
        yield f"{label}: its manifest expects the SHA-256 {manifest.sha256}, the file has {digest}; have it sent again"
    if columns is None:
        return
    names = ", ".join(columns)
    if manifest.columns is not None and list(columns) != manifest.columns:
        expected = ", ".join(manifest.columns)
        yield f"{label}: its manifest expects the columns {expected}, the file has {names}; have one of them corrected"
    found = sha256(SEPARATOR.join(columns).encode()).hexdigest()
    if manifest.columns_sha256 not in (None, found):
        yield (
            f"{label}: its manifest expects columns_sha256 {manifest.columns_sha256}, the file's columns ({names}) "
            f"have {found}; have one of them corrected"
        )


def broken_by_rows(expected: int | None, found: int, label: str) -> Iterator[str]:
    """A number of rows that is not the manifest's."""
    if expected is not None and expected != found:
        yield f"{label}: its manifest expects {expected:,} rows, {found:,} were read; look at both"


def broken_by_points(expected: Mapping[str, int] | int | None, found: Mapping[str, int], label: str) -> Iterator[str]:
    """Sums of points that are not the manifest's; what no number was read from counts nothing."""
    if expected is None:
        return
    if isinstance(expected, int):
        expected, found = {"all programmes": expected}, {"all programmes": sum(found.values())}
    for programme in dict.fromkeys([*expected, *found]):
        said, read = expected.get(programme, 0), found.get(programme, 0)
        if said != read:
            yield f"{label}: its manifest expects {said:,} points of {programme}, {read:,} were read; look at both"


def points_by_file(prepared: pa.Table) -> Mapping[int, Mapping[str, int]]:
    """Points read of some prepared rows: by place of the file, and by programme."""
    found: dict[int, Counter[str]] = {}
    for name in prepared.column_names:
        if not name.startswith("points_"):
            continue
        programme = prepared.column(name.replace("points_", "programme_"))
        by = pa.table({"file": prepared.column("file"), "programme": programme, "points": prepared.column(name)})
        for line in by.group_by(["file", "programme"]).aggregate([("points", "sum")]).to_pylist():
            if line["programme"] and line["points_sum"]:
                found.setdefault(line["file"], Counter())[line["programme"]] += line["points_sum"]
    return found


def added(parts: Iterable[Mapping[int, Mapping[str, int]]]) -> Mapping[int, Mapping[str, int]]:
    """The sums of several parts."""
    whole: dict[int, Counter[str]] = {}
    for part in parts:
        for file, points in part.items():
            whole.setdefault(file, Counter()).update(points)
    return whole
