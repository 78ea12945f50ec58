"""Panel, without which the page cannot be shown."""

from __future__ import annotations


class PanelMissingError(ImportError):
    """The page needs Panel, which cannot be imported."""


def require_panel() -> None:
    """Do nothing where Panel can be imported; else raise `PanelMissingError` with the command."""
    try:
        import panel  # noqa: F401
    except ImportError as error:
        raise PanelMissingError(
            f"tangency explore shows its page with Panel, which cannot be imported ({error}); "
            'install it with: pip install "tangency[explore]"',
            name="panel",
        ) from error
