"""How a command speaks: one object for machines, or lines for people."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer

from schemas.errors import BulkloadError


class Told:
    """How a command speaks: an object for machines, or lines for people."""

    def __init__(self, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet

    def result(self, told: dict[str, Any], lines: Callable[[], Iterator[str]] | None = None) -> None:
        """The result, in the form asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        elif lines is not None and not self.quiet:
            for line in lines():
                typer.echo(line)

    def trouble(self, error: BulkloadError) -> None:
        """What is wrong, all of it."""
        if self.as_json:
            sys.stdout.write(
                json.dumps({"exit_code": error.exit_code, "problems": list(error.problems)}, indent=1) + "\n"
            )
        for problem in error.problems:
            typer.echo(problem, err=True)
