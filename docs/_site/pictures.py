"""The figures of an example: those with a name, as the library draws without pyplot.

Files of pictures are shown too, where an example has a list of them called `pictures`.
"""

from __future__ import annotations

import shutil
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def scraper(_block: Any, variables: dict[str, Any], settings: dict[str, Any]) -> str:
    """Save the figures that the block has made, and show them below it."""
    made = []
    for path in variables["example_globals"].pop("pictures", ()):
        copy = next(variables["image_path_iterator"])
        shutil.copy(path, copy)
        made.append(copy)
    for thing in list(variables["example_globals"].values()):
        if isinstance(thing, Figure) and not hasattr(thing, "_shown"):
            thing._shown = True  # pyright: ignore[reportAttributeAccessIssue]
            path = next(variables["image_path_iterator"])
            thing.savefig(path, dpi=110)
            made.append(path)
    return figure_rst(made, settings["src_dir"])
