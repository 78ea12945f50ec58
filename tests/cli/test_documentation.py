"""What docs/command-line.md shows is what runs."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tangency.cli import app
from tangency.data.bundled import BUNDLED
from tangency.report.demo import AVERAGE, DENSE, FLAT

TEXT = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
TABLE = TEXT.split("| command | does |")[1].split("\n\n")[0]


@pytest.mark.slow
def test_every_command_shown_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^\$ tangency (.*)$", TEXT, flags=re.MULTILINE)
    assert len(commands) == 22
    for command in commands:
        # These have tests of their own, on fewer digits, or serve a page until Ctrl-C.
        if not command.startswith(("demo", "report digits", "explore")):
            result = CliRunner().invoke(app, shlex.split(command))
            assert result.exit_code == 0, (command, result.stderr)
    made = {"model.npz", "predictions.csv", "cancer.npz", "K.npz", "K.zarr"}
    made |= {"gap.zarr", "cg.npz", "digits.zarr", "features.npz", "features.zarr"}
    made |= {"spectrum.png", "smoothness.svg", "stability.csv", "iris.html", "lazy.png"}
    assert {path.name for path in tmp_path.iterdir()} == made


def test_options_networks_and_sets_are_the_real_ones():
    helps = "".join(
        CliRunner().invoke(app, [*command, "--help"]).stdout
        for command in [[], *([name] for name in re.findall(r"`(?:tangency )?([a-z-]+)`", TABLE))]
    )
    for option in set(re.findall(r"--[a-z][a-z-]+", TEXT)):
        assert option in helps, option
    for network in (DENSE, FLAT, AVERAGE):
        assert f"| {network.name} | `{network.text}` |" in TEXT
    for name in BUNDLED:
        assert f"`{name}`" in TEXT
