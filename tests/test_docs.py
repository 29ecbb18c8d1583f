"""What the README says is so: its job files are read, its commands exist, its demo ends as it shows."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from flows.cli import app
from schemas.outcomes import Fate
from transforms.job_file import read_job

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands
ENVIRONMENT = dict.fromkeys(
    ("CAPILLARY_KEY", "CAPILLARY_SECRET", "SFTP_KEY_FILE", "PGP_KEY_FILE", "PGP_PASSPHRASE", "WAREHOUSE_URL"), "x"
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_job_file_shown_is_read():
    operations = [read_job(text, ENVIRONMENT, "README.md").destination.operation for text in blocks("yaml")]
    assert operations == ["update", "update", "update", "update", "register"]


def test_the_smallest_job_shown_is_the_one_that_ships():
    assert (ROOT / "data/jobs/minimal.yaml").read_text(encoding="utf-8") == blocks("yaml")[0]


def written_commands() -> list[str]:
    """Every `bulkload …` in a code span, a console block or a table of the README."""
    inline = re.findall(r"`(bulkload [a-z][^`]*)`", README)
    shown = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    return sorted({*inline, *(line for line in shown if line.startswith("bulkload "))})


@pytest.mark.parametrize("written", written_commands())
def test_a_command_shown_exists_with_its_options(written):
    _, name, *words = shlex.split(written.replace("[", "").replace("]", ""))
    options = {option for parameter in COMMANDS[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= options


def test_every_command_stands_in_the_table():
    assert set(COMMANDS) == set(re.findall(r"^\| `bulkload ([a-z]+)", README, re.MULTILINE))


def test_every_fate_is_explained():
    assert re.findall(r"^\| `([a-z_]+)` \|", README, re.MULTILINE) == [fate.value for fate in Fate]


def test_every_dependency_has_its_reason():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert listed is not None
    names = set(re.findall(r'^    "([a-z0-9]+)', listed[1], re.MULTILINE))
    table = README.partition("## Dependencies")[2]
    told = {name.strip() for row in re.findall(r"^\| ([a-z0-9, ]+) \|", table, re.MULTILINE) for name in row.split(",")}
    assert names <= told


@pytest.mark.slow
def test_the_demo_ends_as_shown(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    told = CliRunner().invoke(app, ["demo", "--home", str(tmp_path)])
    assert told.exit_code == 0
    shown = blocks("text")[0].splitlines()
    said = told.output.splitlines()
    assert said[said.index(shown[0]) :][: len(shown)] == shown


def test_no_picture_is_missing():
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).stat().st_size > 10_000
