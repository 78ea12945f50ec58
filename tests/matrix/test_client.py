"""What may be passed as client."""

import numpy as np
import pytest
from distributed import Client

import tangency as tg
from tangency import InputError
from tangency.gram import local_cluster
from tangency.matrix import client
from tangency.matrix.client import check_client, connected


def test_what_is_no_client():
    with pytest.raises(InputError, match=r"must be a dask\.distributed\.Client, got str; Client"):
        check_client("tcp://127.0.0.1:8786")


def test_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="got str"):
        tg.gram.compute("dense", np.eye(2), store=tmp_path / "K.zarr", client="127.0.0.1:8786")
    assert list(tmp_path.iterdir()) == []


def test_a_client_by_address_and_one_that_is_closed():
    with local_cluster(1) as here, connected(here.scheduler.address) as there:
        check_client(there)
        assert there.nthreads() == here.nthreads()
        other = Client(here.scheduler.address, set_as_default=False)
        other.close()
        with pytest.raises(InputError, match="client is closed; pass one that is connected"):
            check_client(other)


def test_nobody_there(monkeypatch):
    monkeypatch.setattr(client, "_SECONDS", 0.5)
    message = r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 \(.*give its address as"
    with pytest.raises(InputError, match=message), connected("tcp://127.0.0.1:9"):
        pass


@pytest.mark.parametrize("address", ["nowhere", "no://127.0.0.1:9", "tcp://host", "a b:1", ""])
def test_no_address(address):
    message = "is not the address of a Dask scheduler; give tcp://HOST:PORT"
    with pytest.raises(InputError, match=message), connected(address):
        pass
