"""The rooms of the house and who may look into which (see each room's `__init__`)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "schemas": set(),
    "transforms": {"schemas"},
    "connectors": {"schemas"},
    "flows": {"schemas", "transforms", "connectors"},
}
# Libraries that belong to certain rooms only.
KEPT_IN = {
    "prefect": {"flows"},
    "httpx": {"connectors"},
    "sqlalchemy": {"connectors"},
    "fsspec": {"connectors"},
    "starlette": {"connectors"},
    "uvicorn": {"connectors"},
    "pandera": {"schemas", "transforms"},
    "typer": {"flows"},
}
MODULES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imported_tops(source: str) -> set[str]:
    """The first name of every absolute import, wherever it stands in the module."""
    tops: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            tops |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            tops.add(node.module.split(".")[0])
    return tops


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_looks_only_where_it_may(path):
    room = path.relative_to(ROOT).parts[0]
    tops = imported_tops(path.read_text(encoding="utf-8"))
    other_rooms = tops & set(MAY_IMPORT) - {room}
    assert other_rooms <= MAY_IMPORT[room]
    assert {top for top in tops & set(KEPT_IN) if room not in KEPT_IN[top]} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_holds_one_subject_in_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_a_rooms_init_is_its_contract_and_nothing_else():
    for room in MAY_IMPORT:
        body = ast.parse((ROOT / room / "__init__.py").read_text(encoding="utf-8")).body
        assert len(body) == 1
        assert isinstance(body[0], ast.Expr)


def test_relative_imports_are_not_used():
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
