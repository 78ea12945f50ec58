"""`tangency` as it is called in a shell."""

from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from tangency.cli import app


def run(*arguments: Any) -> Result:
    """What the command line answers to these words."""
    return CliRunner().invoke(app, list(map(str, arguments)))
