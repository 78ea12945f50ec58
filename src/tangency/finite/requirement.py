"""PyTorch, without which this part of the library cannot work."""

from __future__ import annotations


class TorchMissingError(ImportError):
    """Networks of finite width need PyTorch, which cannot be imported."""


def require_torch() -> None:
    """Do nothing where PyTorch can be imported.

    Raises:
        TorchMissingError: it cannot; the message has the command that installs it.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise TorchMissingError(
            "tangency.finite builds networks in PyTorch, which cannot be imported "
            f'({error}); install it with: pip install "tangency[torch]"',
            name="torch",
        ) from error
