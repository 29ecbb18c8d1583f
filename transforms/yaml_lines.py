"""YAML as plain values that remember their lines, read strictly.

YAML 1.2's core words only: `NO` is a string and not false, `00:30` is a string and not 1800, a date is a
string, and so is a number that would not be written back as it was read (`007`). Keys are strings and stand
once. Anchors and tags are refused: a job file is read by people.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
PLACEHOLDER = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")
# Braces and colons are YAML's own, so a placeholder travels through the parser as its number between two
# characters that nobody types.
_BRACED = re.compile(r"\$\{[^}\n]*\}")
_NUMBERED = re.compile("\ue000([0-9]+)\ue001")
# `key:value` and `key=value` are one word to YAML; what stands behind may be a secret.
_GLUED = re.compile("[:=].*", re.DOTALL)


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
        """As the parent class, but anchors, aliases and tags are refused."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        for asked, what in (("anchor", "anchors and aliases"), ("tag", "tags")):
            if getattr(event, asked, None) is not None:
                raise yaml.composer.ComposerError(None, None, f"{what} are not read here", event.start_mark)
        return super().compose_node(parent, index)


_Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("tag:yaml.org,2002:null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("tag:yaml.org,2002:int", r"^-?[0-9]{1,18}$", list("-0123456789")),
    ("tag:yaml.org,2002:float", r"^-?[0-9]{1,18}\.[0-9]{1,18}$", list("-0123456789")),
):
    _Core.add_implicit_resolver(tag, re.compile(pattern), first)


class _Reader:
    """Builds the values of one document's nodes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.lines = Lines()
        self._placeholders: list[str] = []

    def read(self, text: str) -> Lines:
        try:
            node = yaml.compose(_BRACED.sub(self._numbered, text), Loader=_Core)
        except yaml.YAMLError as error:
            self.lines.problems.append(_not_yaml(error, text))
        else:
            self.lines.value = None if node is None else self._build(node, ())
        return self.lines

    def _numbered(self, placeholder: re.Match[str]) -> str:
        self._placeholders.append(placeholder[0])
        return f"\ue000{len(self._placeholders) - 1}\ue001"

    def _text(self, node: yaml.ScalarNode) -> str:
        """A scalar as it stands in the file."""
        return _NUMBERED.sub(lambda number: "".join(self._placeholders[int(number[1]) :][:1]), node.value)

    def _build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.line_of.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._build(child, (*path, place)) for place, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(line, path, "a key must be a word")
                continue
            key = self._text(key_node)
            if key in built:
                self._refuse(line, (*path, key), "stands twice")
            else:
                self.lines.line_of[(*path, key)] = line
                built[key] = self._build(value_node, (*path, key))
        return built

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = self._text(node)
        if PLACEHOLDER.search(text):
            self.lines.from_environment.add(path)
            return self._filled(text, path)
        if "${" in text:
            self._refuse(self.lines.line(path), path, "write ${NAME} or ${NAME:-default}")
        return _plain(node.tag.removeprefix("tag:yaml.org,2002:"), text)

    def _filled(self, text: str, path: Path) -> str | None:
        def value_of(match: re.Match[str]) -> str:
            name, default = match["name"], match["default"]
            if default is None and name not in self.environment:
                self.lines.missing.add(path)
                self._refuse(self.lines.line(path), path, f"set {name} in the environment")
            # As in a shell, `:-` also stands in for a name that is set and empty.
            return self.environment.get(name, "") or default or ""

        filled = PLACEHOLDER.sub(value_of, text)
        return None if not filled and PLACEHOLDER.fullmatch(text) else filled

    def _refuse(self, line: int, path: Path, why: str) -> None:
        self.lines.problems.append((line, f"{dotted(path) or 'job'}: {why}"))


def read_yaml(text: str, environment: Mapping[str, str]) -> Lines:
    """Read one document, with `${NAME}` and `${NAME:-default}` taken from `environment`.

    A value that is nothing but a placeholder and comes out empty is null.
    """
    return _Reader(environment).read(text)


def _plain(kind: str, text: str) -> Any:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float":
            number = int(text) if kind == "int" else float(text)
            return number if str(number) == text else text
        case _:
            return text


def _not_yaml(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Where and why; PyYAML quotes single characters and tags, and a tag may be a secret's beginning."""
    if isinstance(error, yaml.reader.ReaderError):
        return text.count("\n", 0, error.position) + 1, "not YAML: a character that is not allowed in it"
    assert isinstance(error, yaml.MarkedYAMLError)
    why = [part for part in (error.context, error.problem) if part]
    said = "tags are not read here" if "tag" in " ".join(why) else ", ".join(why)
    return error.problem_mark.line + 1 if error.problem_mark else 1, f"not YAML: {said}"


def dotted(path: Path) -> str:
    """`map.loyaltyProgramEnrollments[0].programId`, as messages and people write it."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{_GLUED.sub('…', part)}" for part in path)
    return "".join(parts).removeprefix(".")
