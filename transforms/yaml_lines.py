"""YAML as plain values that remember their lines, read strictly.

YAML 1.2's core words only: `NO` is a string and not false, `00:30` is a string and not 1800, a date is a
string. Keys are strings and stand once. Anchors are refused: a job file is read by people.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
PLACEHOLDER = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


@dataclass
class Lines:
    """A document's values, the line of each, and all that is wrong with its writing."""

    value: Any = None
    line_of: dict[Path, int] = field(default_factory=dict)
    from_environment: set[Path] = field(default_factory=set)
    missing: set[Path] = field(default_factory=set)  # values whose name is not in the environment
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest thing around it."""
        while path and path not in self.line_of:
            path = path[:-1]
        return self.line_of.get(path, 1)


class _Core(yaml.SafeLoader):
    """The loader of libyaml's kin with YAML 1.2's core resolver."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As the parent class, but an alias is refused."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not read here", mark)
        return super().compose_node(parent, index)


_Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("tag:yaml.org,2002:null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("tag:yaml.org,2002:float", r"^[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Core.add_implicit_resolver(tag, re.compile(pattern), first)


def read_yaml(text: str, environment: Mapping[str, str]) -> Lines:
    """Read one document, with `${NAME}` and `${NAME:-default}` taken from `environment`.

    A value that is nothing but a placeholder and comes out empty is null.
    """
    lines = Lines()
    try:
        node = yaml.compose(text, Loader=_Core)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        lines.problems.append(
            (mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', None) or 'unreadable'}")
        )
        return lines
    if node is not None:
        lines.value = _build(node, (), lines, environment)
    return lines


def _build(node: yaml.Node, path: Path, lines: Lines, environment: Mapping[str, str]) -> Any:
    lines.line_of.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines, environment)
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*path, place), lines, environment) for place, child in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node, path, lines, environment)


def _mapping(node: yaml.MappingNode, path: Path, lines: Lines, environment: Mapping[str, str]) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            lines.problems.append((line, f"{dotted(path) or 'job'}: a key must be a word"))
        elif key in built:
            lines.problems.append((line, f"{dotted((*path, key))}: stands twice"))
        else:
            lines.line_of[(*path, key)] = line
            built[key] = _build(value_node, (*path, key), lines, environment)
    return built


def _scalar(node: yaml.ScalarNode, path: Path, lines: Lines, environment: Mapping[str, str]) -> Any:
    text = node.value
    if PLACEHOLDER.search(text):
        lines.from_environment.add(path)
        return _filled(text, path, lines, environment)
    if "${" in text:
        lines.problems.append((lines.line(path), f"{dotted(path)}: write ${{NAME}} or ${{NAME:-default}}"))
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text


def _filled(text: str, path: Path, lines: Lines, environment: Mapping[str, str]) -> str | None:
    def value_of(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if default is None and name not in environment:
            lines.missing.add(path)
            lines.problems.append((lines.line(path), f"{dotted(path)}: set {name} in the environment"))
        # As in a shell, `:-` also stands in for a name that is set and empty.
        return environment.get(name, "") or default or ""

    filled = PLACEHOLDER.sub(value_of, text)
    return None if not filled and PLACEHOLDER.fullmatch(text) else filled


def dotted(path: Path) -> str:
    """`map.loyaltyProgramEnrollments[0].programId`, as messages and people write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
