"""Dask clients: which can be used, and one for the address of a scheduler."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import InputError

if TYPE_CHECKING:
    from distributed import Client

# To reach a scheduler; one that is there answers in a fraction of this.
_SECONDS = 10


def check_client(client: Any) -> None:
    """Raises `InputError` for what is no client, or one that cannot be used from here."""
    from distributed import Client

    if not isinstance(client, Client):
        raise InputError(
            f"client must be a dask.distributed.Client, got {type(client).__name__}; "
            "Client(address) connects to a scheduler, gram.local_cluster(4) starts one here"
        )
    if client.asynchronous:
        raise InputError("client is asynchronous; pass a Client made with asynchronous=False")
    if client.status != "running":
        raise InputError(f"client is {client.status}; pass one that is connected to a scheduler")


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler at an address, as tcp://10.0.0.1:8786, for `with`.

    Raises:
        InputError: no address, or no scheduler answers there.
    """
    # Dask itself takes anything, and may wait long for what is no address at all.
    if not re.fullmatch(r"(?:(?:tcp|tls|ws|wss|ucx)://)?[^/\s]+:\d+/?", address):
        raise InputError(
            f"{address!r} is not the address of a Dask scheduler; give tcp://HOST:PORT"
        )
    from distributed import Client

    try:
        client = Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address} ({' '.join(str(error).split())}); give its "
            "address as tcp://HOST:PORT"
        ) from None
    with client:
        yield client
