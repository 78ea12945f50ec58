"""
Figures of the demo
===================

``tangency demo --out results`` writes a page, tables and these figures: learning
curves, accuracies and kernel matrices of three networks, each with its two kernels.
Here on 160 of the 1,797 digits, by the same command.
"""

import tempfile
from pathlib import Path

from tangency.cli import app

folder = tempfile.TemporaryDirectory()
app(
    ["demo", "--images", "160", "--out", f"{folder.name}/results"],
    standalone_mode=False,
)
pictures = sorted(Path(folder.name, "results").glob("*.png"))
