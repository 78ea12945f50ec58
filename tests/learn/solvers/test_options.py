from __future__ import annotations

import copy
import os
import pickle

import pytest
from sklearn.base import clone

from tangency import InputError, KernelRegressor
from tangency.learn.solvers import CG, Cholesky, Eigh, Nystrom
from tangency.learn.solvers.options import as_solver, name_of, solver_from_dict

SOLVERS = [CG(), CG(tol=1e-3, rank=7, seed=2, checkpoint="a"), Cholesky(), Eigh(), Nystrom(12)]


@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_a_solver_is_what_its_repr_and_its_dict_say(solver):
    names = {"CG": CG, "Nystrom": Nystrom, "Cholesky": Cholesky, "Eigh": Eigh}
    assert eval(repr(solver), names) == solver
    assert solver_from_dict(solver.to_dict()) == solver
    assert pickle.loads(pickle.dumps(solver)) == solver
    assert hash(solver) == hash(solver_from_dict(solver.to_dict()))


def test_names():
    assert as_solver("auto") is None
    for name in ("cholesky", "eigh", "cg", "nystrom"):
        solver = as_solver(name)
        assert solver is not None
        assert name_of(solver) == name
    with pytest.raises(InputError, match=r"solver='lu' is not known; expected \"auto\", 'chol"):
        as_solver("lu")
    with pytest.raises(InputError, match="solver=None is not known"):
        as_solver(None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tol": 0.0}, "tol must be a number between 0 and 1, got 0.0"),
        ({"tol": True}, "tol must be a number"),
        ({"rank": 0}, 'rank must be a whole number of at least 1 or "auto", got 0'),
        ({"max_iter": 2.5}, "max_iter must be a whole number of at least 1, got 2.5"),
        ({"probes": -1}, "probes must be a whole number of at least 0"),
        ({"precondition": "ilu"}, "precondition must be one of rpcholesky, uniform, lev"),
        ({"matrix": "disk"}, "matrix must be one of auto, memory, on_the_fly; got 'disk'"),
        ({"matrix": "memory", "client": object()}, 'matrix="memory" keeps K in this process'),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        CG(**options)


def test_nystrom_options_out_of_range():
    with pytest.raises(InputError, match="Nystrom: n_components must be a whole number"):
        Nystrom(0)
    with pytest.raises(InputError, match="Nystrom: method must be one of"):
        Nystrom(method="random")


def test_a_client_is_neither_saved_nor_copied():
    class Client:
        def __deepcopy__(self, memo):
            raise AssertionError("copied")

    solver = CG(client=Client())
    assert copy.deepcopy(solver) is solver
    assert clone(KernelRegressor(solver=solver)).solver is solver
    assert "client" not in solver.to_dict()
    assert solver == CG()


def test_a_client_is_left_out_of_a_pickle():
    with open(os.devnull) as client:  # no more to be pickled than a client
        again = pickle.loads(pickle.dumps(CG(tol=1e-3, client=client)))
    assert again == CG(tol=1e-3)
    assert again.client is None
    assert pickle.loads(pickle.dumps(Nystrom(7))) == Nystrom(7)
