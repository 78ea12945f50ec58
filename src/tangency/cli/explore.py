"""`tangency explore`."""

from __future__ import annotations

import webbrowser
from typing import Annotated, Any

import typer

from . import options as o
from .progress import named_steps
from .say import say


def explore(
    data: o.Data = "digits",
    net: Annotated[
        str | None,
        typer.Option(
            "--net",
            metavar="TEXT",
            help="The network to begin with. Default: one that fits the data.",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the page. Default: a free one.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    labels: o.Labels = None,
    label_column: o.LabelColumn = "-1",
    header: o.Header = None,
    input_shape: o.InputShape = None,
    channels: o.ChannelAxis = o.Channels.auto,
    scale: o.Scale = "auto",
) -> None:
    """Open a live page where you change a network and see its two kernels at once.

    Sliders and text change the network; the page shows its NTK beside its last-layer kernel on
    DATA. It is served to this machine alone, at an address that cannot be guessed, until Ctrl-C.
    Needs Panel: pip install "tangency[explore]".
    """
    from ..explore.requirement import require_panel

    require_panel()
    reading = o.reading(label_column, header, input_shape, channels, scale)
    explorer, state = prepared(data, net, {"labels": labels and str(labels), **reading})
    from ..explore.server import page_server, serve

    server, address = page_server(explorer, state, port)
    say(f"the page is at {address}\nCtrl-C ends it")
    if browser:
        webbrowser.open(address)
    serve(server)
    say("the page is closed")


def prepared(data: str, net: str | None, reading: dict[str, Any]) -> tuple[Any, Any]:
    """What is shown first, computed already: the first use of a machine compiles the engine."""
    from ..data import load
    from ..explore.explorer import Explorer, first_state
    from ..explore.subject import Subject, loading
    from ..explore.views import VIEWS

    dataset = load(data, **reading, require_labels=False)
    say(dataset.summary())
    explorer = Explorer(Subject(dataset, loading(data, reading)))
    state = first_state(explorer, net)
    with named_steps(len(VIEWS)) as step:
        for view in VIEWS:
            step(view.title)
            explorer.card(view, state)
    return explorer, state
